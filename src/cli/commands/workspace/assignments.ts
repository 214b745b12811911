import type { Command } from 'commander'
import { WorkspaceAssignmentList, type WorkspaceAssignment } from '../../../contract/workspaces.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = { usage: 'assignments', summary: 'List who is assigned to the workspace', define, run }

function define(command: Command): void {
  command.option('--search <text>', 'those whose name holds this').addOption(limitOption())
}

const columns: readonly Column<WorkspaceAssignment>[] = [
  { title: 'PRINCIPAL', text: ({ principal }) => principal.name, keep: true },
  { title: 'KIND', text: ({ principal }) => principal.kind.replace('_', ' ') },
  { title: 'ROLE', text: ({ workspaceRole }) => workspaceRole },
  { title: 'ID', text: ({ principal }) => principal.id, keep: true },
]

interface Options {
  readonly search?: string
  readonly limit?: number
}

async function run(cli: Cli, { search, limit }: Options): Promise<void> {
  const api = await signedIn(cli)
  const assignments = await readPages(limit, async (page) => {
    const query = { ...page, search }
    const list = await api.call({
      method: 'GET',
      path: '/v1/workspaceAssignments',
      query,
      answer: WorkspaceAssignmentList,
    })
    return { items: list.workspaceAssignments, nextPageToken: list.nextPageToken }
  })
  showList(cli, assignments, columns, 'Nobody of that name is assigned.')
}
