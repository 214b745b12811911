import type { Command } from 'commander'
import { WorkspaceList, type Workspace } from '../../../contract/workspaces.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = { usage: 'list', summary: 'List the workspaces that you may see', define, run }

function define(command: Command): void {
  command.addOption(limitOption())
}

const columns: readonly Column<Workspace>[] = [
  { title: 'NAME', text: (workspace) => workspace.name, keep: true },
  { title: 'HOSTS', text: (workspace) => workspace.hosts.join(', ') || null },
  { title: 'GATEWAY DOMAIN', text: (workspace) => workspace.gatewayDomain },
  { title: 'ID', text: (workspace) => workspace.id, keep: true },
]

async function run(cli: Cli, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const workspaces = await readPages(limit, async (query) => {
    const list = await api.call({ method: 'GET', path: '/v1/workspaces', query, answer: WorkspaceList })
    return { items: list.workspaces, nextPageToken: list.nextPageToken }
  })
  showList(cli, workspaces, columns, 'There are no workspaces.')
}
