import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { runConnectionTest } from '../../data-source/run-connection-test.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'test <instance> <data-source>',
  summary: 'Test a data source stage by stage: name, port, SSH, TLS, login, privileges',
  run,
}

async function run(cli: Cli, instanceName: string, name: string): Promise<void> {
  const api = await signedIn(cli)
  const place = path`/v1/instances/${instanceName}/dataSources/${name}:testConnection`
  await runConnectionTest(cli, api, { method: 'POST', path: place, body: {} }, [])
}
