import { PostgresRoleRepair } from '../../../contract/postgres-roles.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'repair <instance> <role-name>',
  summary: 'Put a Postgres role that was changed on the database back as it was bound',
  run,
}

const findingTexts = {
  role_missing: 'it had been dropped',
  login_key_changed: 'its password had been changed',
  attributes_changed: 'its attributes had been changed',
  membership_missing: 'a membership was missing',
} as const

async function run(cli: Cli, instance: string, roleName: string): Promise<void> {
  const api = await signedIn(cli)
  const repair = await api.call({
    method: 'POST',
    path: path`/v1/instances/${instance}/roles/${roleName}:repair`,
    body: {},
    answer: PostgresRoleRepair,
  })
  const found = repair.findings.map((finding) => findingTexts[finding]).join(', ')
  const sentence =
    found === ''
      ? `Postgres role ${roleName} on ${instance} is as it was bound.`
      : `Repaired Postgres role ${roleName} on ${instance}: ${found}.`
  showDone(cli, repair, sentence)
}
