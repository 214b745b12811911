import { Option, type Command } from 'commander'
import { EngineName } from '../../../contract/engines.ts'
import { InstanceList, InstanceOrder, InstanceState, type Instance } from '../../../contract/instances.ts'
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
  command
    .option('--text <text>', 'only those whose name, title or host contains the text')
    .addOption(new Option('--engine <engine>', 'only those of this engine').choices(EngineName.options))
    .option('--environment <name>', 'only those of this environment')
    .option(
      '--label <key[=value]>',
      'only those with this label; may be given several times',
      // Written as labels are set; the API separates by a colon.
      (value: string, before: readonly string[] | undefined) => [...(before ?? []), value.replace('=', ':')],
    )
    .addOption(new Option('--state <state>', 'only those in this state').choices(InstanceState.options))
    .option('--show-deleted', 'also those that were deleted and not purged')
    .addOption(new Option('--order-by <field>', 'order (default: name)').choices(InstanceOrder.options))
    .addOption(limitOption())
}

interface Options {
  readonly text?: string
  readonly engine?: string
  readonly environment?: string
  readonly label?: readonly string[]
  readonly state?: string
  readonly showDeleted?: true
  readonly orderBy?: string
  readonly limit?: number
}

const columns: readonly Column<Instance>[] = [
  { title: 'NAME', text: (instance) => instance.name, keep: true },
  { title: 'ENGINE', text: (instance) => instance.engine },
  { title: 'KIND', text: (instance) => instance.kind },
  { title: 'STATE', text: (instance) => instance.state, keep: true },
  { title: 'ENVIRONMENT', text: (instance) => instance.environment },
  { title: 'VERSION', text: (instance) => instance.serverVersion },
  {
    title: 'GATEWAY',
    text: ({ gatewayHost, gatewayPort }) => (gatewayHost === null ? null : `${gatewayHost}:${gatewayPort}`),
  },
]

async function run(cli: Cli, { limit, ...query }: Options): Promise<void> {
  const api = await signedIn(cli)
  const instances = await readPages(limit, async (page) => {
    const list = await api.call({
      method: 'GET',
      path: '/v1/instances',
      query: { ...page, ...query },
      answer: InstanceList,
    })
    return { items: list.instances, nextPageToken: list.nextPageToken }
  })
  const isFiltered = Object.keys(query).some((name) => name !== 'orderBy' && name !== 'showDeleted')
  const none = isFiltered
    ? 'No instance is like that.'
    : 'There are no instances. Register one with `postern instance create`.'
  showList(cli, instances, columns, none)
}
