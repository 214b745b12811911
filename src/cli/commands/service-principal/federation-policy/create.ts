import type { Command } from 'commander'
import { FederationPolicy } from '../../../../contract/federation-policies.ts'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { showItem } from '../../../output.ts'
import { readTextFile } from '../../../read-secret.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Verb } from '../../../verb.ts'

export const verb: Verb = {
  usage: 'create <client-id> <name>',
  summary: 'Let tokens of another issuer stand for a service principal',
  define,
  run,
}

function define(command: Command): void {
  command
    .requiredOption('--issuer <url>', 'what `iss` of the tokens is, character by character')
    .requiredOption('--subject <text>', 'what the subject claim is, exactly')
    .option('--subject-claim <claim>', 'the claim that is compared with --subject; default: sub')
    .option('--audience <text...>', 'one of them is in `aud`; default: the token endpoint of the workspace')
    .option('--jwks-uri <url>', 'where the keys are; default: where the discovery document says')
    .option('--issuer-ca <file>', "PEM of the authorities of the issuer's certificate; default: the public ones")
}

interface Options {
  readonly issuer: string
  readonly subject: string
  readonly subjectClaim?: string
  readonly audience?: readonly string[]
  readonly jwksUri?: string
  readonly issuerCa?: string
}

async function run(cli: Cli, clientId: string, name: string, options: Options): Promise<void> {
  const api = await signedIn(cli)
  const { audience, issuerCa, ...rest } = options
  const ca = issuerCa === undefined ? undefined : await readTextFile(issuerCa, '--issuer-ca')
  const policy = await api.call({
    method: 'POST',
    path: path`/v1/servicePrincipals/${clientId}/federationPolicies`,
    body: { name, ...rest, audiences: audience, issuerCa: ca },
    answer: FederationPolicy,
  })
  showItem(cli, policy, [
    ['Name', policy.name],
    ['Issuer', policy.issuer],
    ['Subject', `${policy.subjectClaim} = ${policy.subject}`],
    ['Audiences', policy.audiences.join(', ') || 'the token endpoint of the workspace'],
  ])
}
