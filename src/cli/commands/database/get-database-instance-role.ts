import { DatabaseInstanceRole } from '../../../contract/database-instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'get-database-instance-role <instance> <name>',
  summary: 'Show the Postgres role of an identity as JSON',
  run,
}

async function run(cli: Cli, instance: string, name: string): Promise<void> {
  const api = await signedIn(cli)
  const rolePath = path`/api/2.0/database/instances/${instance}/roles/${name}`
  showJson(cli, await api.call({ method: 'GET', path: rolePath, answer: DatabaseInstanceRole }))
}
