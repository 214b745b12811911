import {
  ENGINE_CAPABILITIES,
  FIELD_LOGIN_METHOD,
  type EngineCapabilities,
  type EngineField,
  type ExtraParameter,
  type FieldUse,
  type LoginMethod,
} from '../contract/engines.ts'
import { isUnixRoute, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets, SecretField } from '../dialer/data-source-secrets.ts'
import { checkRouteAwsIam } from './check-route-aws-iam.ts'
import { checkRouteAzureEntra } from './check-route-azure-entra.ts'
import { checkRouteGcpIam } from './check-route-gcp-iam.ts'
import { checkRouteSsh } from './check-route-ssh.ts'
import { checkRouteTls } from './check-route-tls.ts'
import { invalidField, isHostName } from './invalid-field.ts'

/**
 * Checks a route and its secrets against the row of its engine in ENGINE_CAPABILITIES: whatever that engine cannot honour is
 * refused, and so is what would have no effect beside the rest. What only the engine itself knows is up to its `checkRoute`.
 *
 * @param secrets every secret that the data source has; a missing one is told as well
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkCapabilities(route: DataSourceRoute, secrets: DataSourceSecrets): void {
  const capabilities = ENGINE_CAPABILITIES[route.engine]
  checkAddress(route, capabilities)
  checkText('database', route.database, capabilities.database, capabilities)
  // A user that a secret manager names is not known yet.
  if (secrets.username === undefined) checkText('username', route.username, capabilities.username, capabilities)
  checkLogin(route, secrets, capabilities)
  checkRouteTls(route, secrets, capabilities)
  checkRouteSsh(route, secrets, capabilities)
  checkFields(route, capabilities)
  if (route.loginMethod === 'aws_iam') checkRouteAwsIam(route, secrets)
  if (route.loginMethod === 'gcp_iam') checkRouteGcpIam(route, secrets)
  if (route.loginMethod === 'azure_entra') checkRouteAzureEntra(route, secrets)
  checkExtraParameters(route, capabilities)
}

function checkAddress(route: DataSourceRoute, capabilities: EngineCapabilities): void {
  const { host, port, ssh } = route
  checkText('host', host, capabilities.host, capabilities)
  if (isUnixRoute(route)) {
    if (capabilities.family !== 'postgres') {
      throw invalidField(
        'host',
        `must be a host name or an IP address: ${capabilities.title} has no way by a Unix socket`,
      )
    }
    if (ssh.length > 0) throw invalidField('ssh', 'leads to no Unix socket: give the host and port of the database')
  } else if (host !== '' && route.loginMethod !== 'gcp_iam' && !isHostName(host)) {
    throw invalidField('host', 'must be a host name or an IP address')
  }
  const lowest = capabilities.defaultPort === null ? 0 : 1
  if (!Number.isInteger(port) || port < lowest || port > 65_535) {
    throw invalidField('port', `must be a whole number from ${lowest} to 65535`)
  }
}

/** Secrets that each login method takes, the first one being what it cannot do without unless it is optional. */
const LOGIN_SECRETS: Readonly<Record<LoginMethod, readonly SecretField[]>> = {
  password: ['password'],
  key_pair: ['privateKey', 'privateKeyPassphrase'],
  access_token: ['accessToken'],
  service_account: ['serviceAccount'],
  ambient: [],
  aws_iam: ['awsCredentials'],
  gcp_iam: ['serviceAccount'],
  azure_entra: ['azureClientSecret'],
}

/** A password may be empty; the identity at a cloud may be that of this node. */
const SECRET_IS_OPTIONAL: readonly LoginMethod[] = ['password', 'aws_iam', 'gcp_iam', 'azure_entra']

function checkLogin(route: DataSourceRoute, secrets: DataSourceSecrets, capabilities: EngineCapabilities): void {
  const { loginMethod } = route
  if (!capabilities.loginMethods.includes(loginMethod)) {
    const why =
      capabilities.family === 'snowflake' && loginMethod === 'password' ? ', whose SQL API takes no password' : ''
    throw invalidField(
      'loginMethod',
      `${loginMethod} is none of ${capabilities.title}${why}: use ${capabilities.loginMethods.join(' or ')}`,
    )
  }
  const [first] = LOGIN_SECRETS[loginMethod]
  if (first !== undefined && !SECRET_IS_OPTIONAL.includes(loginMethod) && secrets[first] === undefined) {
    throw invalidField(first, `is needed to log in by ${loginMethod}`)
  }
  for (const field of Object.values(LOGIN_SECRETS).flat()) {
    if (secrets[field] !== undefined && !LOGIN_SECRETS[loginMethod].includes(field)) {
      throw invalidField(field, `has no effect with login method ${loginMethod}: leave it out`)
    }
  }
}

function checkFields(route: DataSourceRoute, capabilities: EngineCapabilities): void {
  const uses: Readonly<Partial<Record<string, FieldUse>>> = capabilities.fields
  for (const field of new Set([...Object.keys(route.fields), ...Object.keys(uses)])) {
    const text = route.fields[field as EngineField] ?? ''
    checkText(field, text, uses[field] ?? 'refused', capabilities)
    const loginMethod = FIELD_LOGIN_METHOD[field as EngineField]
    if (text !== '' && loginMethod !== undefined && loginMethod !== route.loginMethod) {
      throw invalidField(field, `has no effect with login method ${route.loginMethod}: leave it out`)
    }
  }
  const { oneOf, title } = capabilities
  if (oneOf.length > 0 && oneOf.every((field) => (route.fields[field] ?? '') === '')) {
    throw invalidField(oneOf.join(' or '), `is needed for ${title}`)
  }
}

const TEXT_MAX_LENGTH = 255

function checkText(field: string, text: string, use: FieldUse, { title }: EngineCapabilities): void {
  if (text === '') {
    if (use === 'required') throw invalidField(field, `is needed for ${title}`)
    return
  }
  if (use === 'refused') throw invalidField(field, `means nothing to ${title}: leave it out`)
  if (text.length > TEXT_MAX_LENGTH) throw invalidField(field, `must be at most ${TEXT_MAX_LENGTH} characters`)
  if (/\p{Cc}/u.test(text)) throw invalidField(field, 'must not contain control characters')
}

function checkExtraParameters(route: DataSourceRoute, { extraParameters, title }: EngineCapabilities): void {
  for (const [name, value] of Object.entries(route.extraParameters)) {
    const field = `extraParameters.${name}`
    const parameter = Object.hasOwn(extraParameters, name) ? extraParameters[name] : undefined
    if (parameter === undefined) {
      const known = Object.keys(extraParameters)
      const choice = known.length === 0 ? 'it takes none' : `it takes ${known.join(', ')}`
      throw invalidField(field, `is no parameter of ${title} that Postern passes on: ${choice}`)
    }
    const mistake = valueMistake(value, parameter.values)
    if (mistake !== undefined) throw invalidField(field, mistake)
  }
}

function valueMistake(value: string, values: ExtraParameter['values']): string | undefined {
  if ('pattern' in values) return new RegExp(values.pattern).test(value) ? undefined : `must match ${values.pattern}`
  if ('from' in values) {
    const number = /^(0|[1-9]\d{0,15})$/.test(value) ? Number(value) : Number.NaN
    const isInRange = number >= values.from && number <= values.to
    return isInRange ? undefined : `must be a whole number from ${values.from} to ${values.to}`
  }
  return values.includes(value) ? undefined : `must be one of ${values.join(', ')}`
}
