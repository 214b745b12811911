import { PostgresRole } from '../../../contract/postgres-roles.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { postgresRoleFields } from './postgres-role-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'get <instance> <role-name>',
  summary: 'Show one bound Postgres role',
  run,
}

async function run(cli: Cli, instance: string, roleName: string): Promise<void> {
  const api = await signedIn(cli)
  const role = await api.call({
    method: 'GET',
    path: path`/v1/instances/${instance}/roles/${roleName}`,
    answer: PostgresRole,
  })
  showItem(cli, role, postgresRoleFields(role))
}
