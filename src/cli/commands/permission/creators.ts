import type { Command } from 'commander'
import { type InstanceMaker, InstanceMakerList } from '../../../contract/instance-permissions.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'creators',
  summary: 'List who may create managed instances besides Workspace Admins and DBAs',
  define: (command: Command) => void command.addOption(limitOption()),
  run,
}

const columns: readonly Column<InstanceMaker>[] = [
  { title: 'PRINCIPAL', text: ({ principal }) => principal.name, keep: true },
  { title: 'KIND', text: ({ principal }) => principal.kind.replace('_', ' ') },
  { title: 'ID', text: ({ principal }) => principal.id },
]

async function run(cli: Cli, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const makers = await readPages(limit, async (query) => {
    const list = await api.call({ method: 'GET', path: '/v1/instanceMakers', query, answer: InstanceMakerList })
    return { items: list.instanceMakers, nextPageToken: list.nextPageToken }
  })
  showList(cli, makers, columns, 'Nobody besides Workspace Admins and DBAs may create managed instances.')
}
