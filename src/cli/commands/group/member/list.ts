import type { Command } from 'commander'
import { GroupMemberList, type GroupMember } from '../../../../contract/groups.ts'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { limitOption } from '../../../option-values.ts'
import { showList } from '../../../output.ts'
import { readPages } from '../../../read-pages.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Column } from '../../../table.ts'
import type { Verb } from '../../../verb.ts'

export const verb: Verb = { usage: 'list <group>', summary: 'List the direct members of a group', define, run }

function define(command: Command): void {
  command.option('--search <text>', 'those whose name holds this').addOption(limitOption())
}

const columns: readonly Column<GroupMember>[] = [
  { title: 'NAME', text: (member) => member.name, keep: true },
  { title: 'KIND', text: (member) => member.kind.replace('_', ' ') },
  { title: 'DISPLAY NAME', text: (member) => member.displayName },
  { title: 'ACTIVE', text: (member) => (member.active ? 'yes' : 'no') },
  { title: 'ID', text: (member) => member.id, keep: true },
]

interface Options {
  readonly search?: string
  readonly limit?: number
}

async function run(cli: Cli, reference: string, { search, limit }: Options): Promise<void> {
  const api = await signedIn(cli)
  const members = await readPages(limit, async (page) => {
    const query = { ...page, search }
    const place = path`/v1/groups/${reference}/members`
    const list = await api.call({ method: 'GET', path: place, query, answer: GroupMemberList })
    return { items: list.members, nextPageToken: list.nextPageToken }
  })
  showList(cli, members, columns, 'The group has no such members. Add one with `postern group member add`.')
}
