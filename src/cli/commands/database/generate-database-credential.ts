import type { Command } from 'commander'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { generateDatabaseCredential } from '../../database-credential.ts'
import { showJson } from '../../output.ts'
import { readTextFile } from '../../read-secret.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

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
  const request = parseRequest(json.startsWith('@') ? await readTextFile(json.slice(1), '--json, file') : json)
  const api = await signedIn(cli)
  const body = requestId === undefined ? request : { ...request, request_id: requestId }
  const { expiration_time, token } = await generateDatabaseCredential(api, body)
  showJson(cli, { expiration_time, token })
}

function parseRequest(json: string): Record<string, unknown> {
  const hint = 'Write it as \'{"instance_names": ["sample"]}\'.'
  let request: unknown
  try {
    request = JSON.parse(json)
  } catch (cause) {
    throw new CliError('caller', '--json is not valid JSON', { hint, cause })
  }
  if (typeof request === 'object' && request !== null && !Array.isArray(request))
    return request as Record<string, unknown>
  throw new CliError('caller', '--json is not a JSON object', { hint })
}
