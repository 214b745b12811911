import type { Command } from 'commander'
import { type InstancePermission, InstancePermissionList } from '../../../contract/instance-permissions.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list <instance>',
  summary: 'List who was granted what on an instance',
  define,
  run,
}

function define(command: Command): void {
  command.addOption(limitOption())
}

const columns: readonly Column<InstancePermission>[] = [
  { title: 'PRINCIPAL', text: ({ principal }) => principal.name, keep: true },
  { title: 'KIND', text: ({ principal }) => principal.kind.replace('_', ' ') },
  { title: 'PERMISSION', text: ({ level }) => level },
]

async function run(cli: Cli, instance: string, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const permissions = await readPages(limit, async (query) => {
    const list = await api.call({
      method: 'GET',
      path: path`/v1/instances/${instance}/permissions`,
      query,
      answer: InstancePermissionList,
    })
    return { items: list.permissions, nextPageToken: list.nextPageToken }
  })
  const none = `Nothing was granted on ${instance}: Workspace Admins, Workspace DBAs and its creator manage it.`
  showList(cli, permissions, columns, none)
}
