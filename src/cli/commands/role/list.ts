import type { Command } from 'commander'
import { PostgresRoleList, type PostgresRole } from '../../../contract/postgres-roles.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import { attributesText } from './postgres-role-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list <instance>',
  summary: 'List the bound Postgres roles of an instance',
  define,
  run,
}

function define(command: Command): void {
  command.addOption(limitOption())
}

const columns: readonly Column<PostgresRole>[] = [
  { title: 'POSTGRES ROLE', text: (role) => role.roleName, keep: true },
  { title: 'PRINCIPAL', text: (role) => role.principal.name },
  { title: 'KIND', text: (role) => role.principal.kind.replace('_', ' ') },
  { title: 'ATTRIBUTES', text: attributesText },
  { title: 'ADMIN', text: (role) => (role.administrator ? 'yes' : 'no') },
]

async function run(cli: Cli, instance: string, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const roles = await readPages(limit, async (query) => {
    const list = await api.call({
      method: 'GET',
      path: path`/v1/instances/${instance}/roles`,
      query,
      answer: PostgresRoleList,
    })
    return { items: list.roles, nextPageToken: list.nextPageToken }
  })
  showList(
    cli,
    roles,
    columns,
    `No principal has a Postgres role on ${instance}. Make one with \`postern role bind ${instance}\`.`,
  )
}
