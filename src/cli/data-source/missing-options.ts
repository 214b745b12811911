import type { EngineCapabilities, LoginMethod } from '../../contract/engines.ts'
import type { DataSourceOptions } from './data-source-options.ts'

/** Options without which a login method has no secret; a password is asked for instead. */
const SECRET_OPTION = {
  password: undefined,
  key_pair: ['privateKey', '--private-key-file'],
  access_token: ['accessToken', '--access-token-file'],
  service_account: ['serviceAccount', '--service-account-file'],
  ambient: undefined,
  aws_iam: undefined,
  gcp_iam: undefined,
  azure_entra: undefined,
} as const satisfies Readonly<Record<LoginMethod, readonly [string, string] | undefined>>

/** The options that a new admin data source of the engine still lacks, as they are written; empty when it lacks none. */
export function missingOptions(engine: EngineCapabilities, options: DataSourceOptions): string[] {
  const { externalSecret = {}, field = {} } = options
  const secret = SECRET_OPTION[options.loginMethod ?? engine.loginMethods[0] ?? 'password']
  const hasSecret = secret === undefined || options[`${secret[0]}File`] !== undefined || secret[0] in externalSecret
  const required = Object.entries(engine.fields).flatMap(([name, use]) => (use === 'required' ? [name] : []))
  const lacksOneOf = engine.oneOf.length > 0 && engine.oneOf.every((name) => field[name] === undefined)
  return [
    ...(engine.host === 'required' && options.hostName === undefined ? ['--host-name'] : []),
    ...(engine.username === 'required' && options.username === undefined && !('username' in externalSecret)
      ? ['--username']
      : []),
    ...required.filter((name) => field[name] === undefined).map((name) => `--field ${name}=…`),
    ...(lacksOneOf ? [engine.oneOf.map((name) => `--field ${name}=…`).join(' or ')] : []),
    ...(hasSecret ? [] : [secret[1]]),
  ]
}
