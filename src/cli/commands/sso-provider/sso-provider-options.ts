import { type Command, Option } from 'commander'
import type { Cli } from '../../cli.ts'
import { readSecret, readTextFile } from '../../read-secret.ts'

/** Options that create and update have alike. */
export interface SsoProviderOptions {
  readonly clientSecretFile?: string
  readonly scope?: readonly string[]
  readonly emailClaim?: string
  readonly nameClaim?: string
  readonly groupsClaim?: string
  readonly emailDomain?: readonly string[]
  readonly createUsers?: 'on' | 'off'
  readonly issuerCa?: string
}

/** Declares what create and update have alike. */
export function defineSsoProvider(command: Command): void {
  command
    .option('--client-secret-file <file>', 'file with the client secret, or - for standard input')
    .option('--scope <scope...>', 'what is asked for; default: openid email profile')
    .option('--email-claim <claim>', 'the claim that is the e-mail address; default: email')
    .option('--name-claim <claim>', 'the claim that is the display name; default: name')
    .option('--groups-claim <claim>', 'the claim that names groups; default: none, groups are left alone')
    .option('--email-domain <domain...>', 'believe the issuer for these domains; default: for verified addresses')
    .addOption(
      new Option('--create-users <on|off>', 'whether somebody unknown becomes a user at the first sign-in').choices([
        'on',
        'off',
      ]),
    )
    .option('--issuer-ca <file>', "PEM of the authorities of the issuer's certificate; default: the public ones")
}

/** The options as fields of a request. */
export async function ssoProviderBody(cli: Cli, options: SsoProviderOptions): Promise<Record<string, unknown>> {
  const { clientSecretFile, issuerCa, createUsers } = options
  const secret =
    clientSecretFile === undefined
      ? undefined
      : await readSecret(cli.terminal, clientSecretFile, 'Client secret: ', '--client-secret-file')
  return {
    clientSecret: secret?.reveal(),
    scopes: options.scope,
    emailClaim: options.emailClaim,
    nameClaim: options.nameClaim,
    groupsClaim: options.groupsClaim,
    emailDomains: options.emailDomain,
    createsUsers: createUsers === undefined ? undefined : createUsers === 'on',
    issuerCa: issuerCa === undefined ? undefined : await readTextFile(issuerCa, '--issuer-ca'),
  }
}
