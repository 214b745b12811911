import type { Command } from 'commander'
import { GroupList, type Group } from '../../../contract/groups.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'
import { workspaceRoleText } from '../user/user-fields.ts'

export const verb: Verb = { usage: 'list', summary: 'List the groups of the workspace', define, run }

function define(command: Command): void {
  command
    .option('--search <text>', 'those whose name holds this')
    .option('--member-id <id>', 'those that this principal is a direct member of')
    .addOption(limitOption())
}

const columns: readonly Column<Group>[] = [
  { title: 'NAME', text: (group) => group.displayName, keep: true },
  { title: 'ROLE', text: workspaceRoleText },
  { title: 'MEMBERS', text: (group) => String(group.memberCount) },
  { title: 'ACTIVE', text: (group) => (group.active ? 'yes' : 'no') },
  { title: 'ID', text: (group) => group.id, keep: true },
]

interface Options {
  readonly search?: string
  readonly memberId?: string
  readonly limit?: number
}

async function run(cli: Cli, { search, memberId, limit }: Options): Promise<void> {
  const api = await signedIn(cli)
  const groups = await readPages(limit, async (page) => {
    const query = { ...page, search, member: memberId }
    const list = await api.call({ method: 'GET', path: '/v1/groups', query, answer: GroupList })
    return { items: list.groups, nextPageToken: list.nextPageToken }
  })
  showList(cli, groups, columns, 'There are no such groups. Make one with `postern group create`.')
}
