import type { Command } from 'commander'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { runConnectionTest } from '../../data-source/run-connection-test.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'test <instance>',
  summary: 'Test the way to an instance stage by stage: name, port, SSH, TLS, login, privileges',
  define,
  run,
}

function define(command: Command): void {
  command.option('--data-source <name>', 'another data source than the admin one')
}

async function run(cli: Cli, name: string, { dataSource }: { readonly dataSource?: string }): Promise<void> {
  const api = await signedIn(cli)
  const place =
    dataSource === undefined
      ? path`/v1/instances/${name}:testConnection`
      : path`/v1/instances/${name}/dataSources/${dataSource}:testConnection`
  await runConnectionTest(cli, api, { method: 'POST', path: place, body: {} }, [])
}
