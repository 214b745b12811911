import type { Command } from 'commander'
import { DatabaseInstance } from '../../../contract/database-instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { waitForInstance } from '../../wait-for-instance.ts'
import { readJsonOption } from './json-option.ts'

export const verb: Verb = {
  usage: 'create-database-instance <name>',
  summary: 'Create a managed Postgres instance and wait until it is AVAILABLE',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--capacity <capacity>', 'CU_1, CU_2, CU_4 or CU_8; kept, and means nothing to the size')
    .option('--enable-pg-native-login', 'Postgres roles with passwords may log in')
    .option('--json <json>', 'more fields of the instance, or @FILE that holds them')
    .option('--no-wait', 'return as soon as it is STARTING')
}

interface Options {
  readonly capacity?: string
  readonly enablePgNativeLogin?: true
  readonly json?: string
  readonly wait: boolean
}

async function run(cli: Cli, name: string, { capacity, enablePgNativeLogin, json, wait }: Options): Promise<void> {
  const more = json === undefined ? {} : await readJsonOption(json, '{"capacity": "CU_1"}')
  const api = await signedIn(cli)
  const instancePath = path`/api/2.0/database/instances/${name}`
  const body = { ...more, name, capacity: capacity ?? more['capacity'] }
  const created = await api.call({
    method: 'POST',
    path: '/api/2.0/database/instances',
    body: { ...body, ...(enablePgNativeLogin && { enable_pg_native_login: true }) },
    answer: DatabaseInstance,
  })
  if (!wait) return showJson(cli, created)
  await waitForInstance(cli, api, name, 'AVAILABLE')
  showJson(cli, await api.call({ method: 'GET', path: instancePath, answer: DatabaseInstance }))
}
