import type { Command } from 'commander'
import { UserList, type User } from '../../../contract/users.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { activeOption } from '../../principal-settings.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'
import { workspaceRoleText } from './user-fields.ts'

export const verb: Verb = { usage: 'list', summary: 'List the users of the workspace', define, run }

function define(command: Command): void {
  command
    .option('--search <text>', 'those whose e-mail or display name holds this')
    .addOption(activeOption('only active ones, or only deactivated ones'))
    .addOption(limitOption())
}

const columns: readonly Column<User>[] = [
  { title: 'E-MAIL', text: (user) => user.email, keep: true },
  { title: 'DISPLAY NAME', text: (user) => user.displayName },
  { title: 'ROLE', text: workspaceRoleText },
  { title: 'ACTIVE', text: (user) => (user.active ? 'yes' : 'no') },
  { title: 'CREATED', text: (user) => user.createdAt.slice(0, 10) },
]

interface Options {
  readonly search?: string
  readonly active?: 'on' | 'off'
  readonly limit?: number
}

async function run(cli: Cli, { search, active, limit }: Options): Promise<void> {
  const api = await signedIn(cli)
  const filter = { search, active: active === undefined ? undefined : active === 'on' }
  const users = await readPages(limit, async (page) => {
    const query = { ...page, ...filter }
    const list = await api.call({ method: 'GET', path: '/v1/users', query, answer: UserList })
    return { items: list.users, nextPageToken: list.nextPageToken }
  })
  showList(cli, users, columns, 'There are no such users. Make one with `postern user create`.')
}
