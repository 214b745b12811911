import { DatabaseInstance } from '../../../contract/database-instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = { usage: 'get-database-instance <name>', summary: 'Show a Postgres instance as JSON', run }

async function run(cli: Cli, name: string): Promise<void> {
  const api = await signedIn(cli)
  const instancePath = path`/api/2.0/database/instances/${name}`
  showJson(cli, await api.call({ method: 'GET', path: instancePath, answer: DatabaseInstance }))
}
