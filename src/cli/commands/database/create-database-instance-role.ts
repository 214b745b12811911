import { Option, type Command } from 'commander'
import { DatabaseInstanceRole } from '../../../contract/database-instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { readJsonOption } from './json-option.ts'

export const verb: Verb = {
  usage: 'create-database-instance-role <instance> <name>',
  summary: 'Make a Postgres role for an identity',
  define,
  run,
}

function define(command: Command): void {
  command
    .addOption(new Option('--identity-type <type>', 'whose it is').choices(['USER', 'SERVICE_PRINCIPAL', 'GROUP']))
    .addOption(new Option('--membership-role <role>', 'what it is a member of').choices(['DATABRICKS_SUPERUSER']))
    .option('--json <json>', 'more fields, such as {"attributes": {"createdb": true}}, or @FILE that holds them')
}

interface Options {
  readonly identityType?: string
  readonly membershipRole?: string
  readonly json?: string
}

async function run(cli: Cli, instance: string, name: string, options: Options): Promise<void> {
  const { identityType, membershipRole, json } = options
  const more = json === undefined ? {} : await readJsonOption(json, '{"identity_type": "USER"}')
  const api = await signedIn(cli)
  const made = await api.call({
    method: 'POST',
    path: path`/api/2.0/database/instances/${instance}/roles`,
    body: {
      ...more,
      name,
      ...(identityType !== undefined && { identity_type: identityType }),
      ...(membershipRole !== undefined && { membership_role: membershipRole }),
    },
    answer: DatabaseInstanceRole,
    timeoutMs: 120_000,
  })
  showJson(cli, made)
}
