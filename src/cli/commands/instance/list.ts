import type { Command } from 'commander'
import { InstanceList, type Instance } from '../../../contract/instances.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list',
  summary: 'List the instances of the workspace',
  define,
  run,
}

function define(command: Command): void {
  command.option('--filter <text>', 'only those whose name contains the text').addOption(limitOption())
}

interface Options {
  readonly filter?: string
  readonly limit?: number
}

const columns: readonly Column<Instance>[] = [
  { title: 'NAME', text: (instance) => instance.name, keep: true },
  { title: 'KIND', text: (instance) => instance.kind },
  { title: 'STATE', text: (instance) => instance.state, keep: true },
  { title: 'VERSION', text: (instance) => instance.serverVersion },
  { title: 'GATEWAY', text: (instance) => `${instance.gatewayHost}:${instance.gatewayPort}` },
]

async function run(cli: Cli, { filter, limit }: Options): Promise<void> {
  const api = await signedIn(cli)
  const instances = await readPages(limit, async (page) => {
    const list = await api.call({
      method: 'GET',
      path: '/v1/instances',
      query: { ...page, filter },
      answer: InstanceList,
    })
    return { items: list.instances, nextPageToken: list.nextPageToken }
  })
  showList(cli, instances, columns, 'There are no instances. Register one with `postern instance create`.')
}
