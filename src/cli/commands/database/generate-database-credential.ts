import type { Command } from 'commander'
import type { Cli } from '../../cli.ts'
import { generateDatabaseCredential } from '../../database-credential.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { readJsonOption } from './json-option.ts'

export const verb: Verb = {
  usage: 'generate-database-credential',
  summary: 'Get a database credential, with the options and the answer of the Databricks CLI',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--request-id <id>', 'kept in the audit record')
    .requiredOption('--json <json>', 'the request, or @FILE that holds it: {"instance_names": ["sample"]}')
}

interface Options {
  readonly requestId?: string
  readonly json: string
}

/** Prints JSON whatever --output says: scripts written for the Databricks CLI parse it. */
async function run(cli: Cli, { requestId, json }: Options): Promise<void> {
  const request = await readJsonOption(json, '{"instance_names": ["sample"]}')
  const api = await signedIn(cli)
  const body = requestId === undefined ? request : { ...request, request_id: requestId }
  const { expiration_time, token } = await generateDatabaseCredential(api, body)
  showJson(cli, { expiration_time, token })
}
