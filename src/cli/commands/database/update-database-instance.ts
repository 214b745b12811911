import { InvalidArgumentError, type Command } from 'commander'
import { DatabaseInstance } from '../../../contract/database-instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { readJsonOption } from './json-option.ts'

export const verb: Verb = {
  usage: 'update-database-instance <name> <update-mask>',
  summary: 'Change the fields of a Postgres instance that the mask names, such as stopped or enable_pg_native_login',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--capacity <capacity>', 'CU_1, CU_2, CU_4 or CU_8')
    .option('--enable-pg-native-login [on]', 'true or false', trueOrFalse)
    .option('--stopped [on]', 'true or false', trueOrFalse)
    .option('--json <json>', 'more fields of the instance, or @FILE that holds them')
}

interface Options {
  readonly capacity?: string
  readonly enablePgNativeLogin?: boolean
  readonly stopped?: boolean
  readonly json?: string
}

async function run(cli: Cli, name: string, mask: string, options: Options): Promise<void> {
  const more = options.json === undefined ? {} : await readJsonOption(options.json, '{"stopped": true}')
  const api = await signedIn(cli)
  const changed = await api.call({
    method: 'PATCH',
    path: path`/api/2.0/database/instances/${name}`,
    query: { update_mask: mask },
    body: {
      ...more,
      name,
      ...(options.capacity !== undefined && { capacity: options.capacity }),
      ...(options.enablePgNativeLogin !== undefined && { enable_pg_native_login: options.enablePgNativeLogin }),
      ...(options.stopped !== undefined && { stopped: options.stopped }),
    },
    answer: DatabaseInstance,
  })
  showJson(cli, changed)
}

/** An option without a value means true, as the Databricks CLI has it. */
function trueOrFalse(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new InvalidArgumentError('It must be true or false.')
}
