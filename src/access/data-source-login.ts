import { PosternError, type ErrorCode } from '../base/errors.ts'
import type { LoginMethod } from '../contract/engines.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { CloudLogin } from '../dialer/cloud-logins.ts'
import { mayCarryRecoverablePassword, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets, SecretField } from '../dialer/data-source-secrets.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import type { ResolvedSecret, SecretReferences } from '../dialer/secret-references.ts'
import type { DataSourceRow } from '../store/data-sources.ts'
import { openDataSourceSecrets, routeOf } from './data-source-secrets.ts'

/** All that an attempt to reach a database needs: its secrets are the ones themselves, wherever they live. */
export interface DataSourceLogin {
  /** With the user that a manager or a cloud named, where one does. */
  readonly route: DataSourceRoute
  readonly secrets: DataSourceSecrets
  /** How the secrets that live elsewhere were found, by their fields. */
  readonly found: ReadonlyMap<SecretField, ResolvedSecret>
  /** What stands in for the password, where the login method has none. */
  readonly cloudLogin?: CloudLogin
}

type LoginDialer = Pick<DialerDependencies, 'secretReferences' | 'cloudLogins'>

interface LoginDependencies {
  readonly masterKey: MasterKey
  readonly dialer: LoginDialer
}

/**
 * Runs an attempt with the secrets of a stored data source. Where one of them is remembered from a manager and the database (or
 * an SSH server) refuses it, it may have been exchanged meanwhile: it is fetched anew and the attempt made once more.
 *
 * @throws PosternError SECRET_UNREADABLE | SECRET_SOURCE_*, and what the attempt throws
 */
export async function withDataSourceLogin<T>(
  deps: LoginDependencies,
  source: Pick<DataSourceRow, 'id' | 'sealedSecrets' | keyof DataSourceRoute>,
  attempt: (login: DataSourceLogin) => Promise<T>,
): Promise<T> {
  return withLogin(deps.dialer, routeOf(source), await openDataSourceSecrets(deps, source), attempt)
}

/** {@link withDataSourceLogin} for a data source that is not stored, with its secrets as they would be. */
export async function withLogin<T>(
  dialer: LoginDialer,
  route: DataSourceRoute,
  stored: DataSourceSecrets,
  attempt: (login: DataSourceLogin) => Promise<T>,
): Promise<T> {
  return twice(() => resolveLogin(dialer, route, stored), attempt)
}

/** {@link withLogin} for whoever logs in to the database as somebody else, and needs the secrets of the way alone. */
export async function withWaySecrets<T>(
  references: SecretReferences,
  route: DataSourceRoute,
  stored: DataSourceSecrets,
  attempt: (secrets: DataSourceSecrets) => Promise<T>,
): Promise<T> {
  return twice(
    () => resolveSecrets(references, route, stored),
    ({ secrets }) => attempt(secrets),
  )
}

async function twice<T>(
  resolve: () => Promise<DataSourceLogin>,
  attempt: (login: DataSourceLogin) => Promise<T>,
): Promise<T> {
  const login = await resolve()
  try {
    return await attempt(login)
  } catch (thrown) {
    if (!isRefusal(thrown) || !rejectRemembered(login)) throw await explained(thrown, login)
  }
  const next = await resolve()
  try {
    return await attempt(next)
  } catch (thrown) {
    throw await explained(thrown, next)
  }
}

/**
 * The secrets of a data source with the token in place of its password, where a cloud vouches for who logs in.
 * @throws PosternError SECRET_SOURCE_* | UPSTREAM_AUTH_UNSAFE
 */
async function resolveLogin(
  { secretReferences, cloudLogins }: LoginDialer,
  route: DataSourceRoute,
  stored: DataSourceSecrets,
): Promise<DataSourceLogin> {
  const login = await resolveSecrets(secretReferences, route, stored)
  if (!CLOUD_METHODS.includes(route.loginMethod)) return login
  if (!mayCarryRecoverablePassword(route)) {
    throw new PosternError('UPSTREAM_AUTH_UNSAFE', 'a token of a cloud identity is only sent over verified TLS', {
      hint: 'Use TLS mode verify-full, or verify-ca with the authority of the database.',
    })
  }
  const { awsCredentials: _, azureClientSecret: __, ...secrets } = login.secrets
  const cloudLogin = await cloudLogins.logIn(login.route, login.secrets)
  return {
    ...login,
    route: { ...login.route, username: cloudLogin.username },
    secrets: { ...secrets, password: cloudLogin.token },
    cloudLogin,
  }
}

const CLOUD_METHODS: readonly LoginMethod[] = ['aws_iam', 'gcp_iam', 'azure_entra']

/**
 * The secrets of a data source in place of their references.
 * @throws PosternError SECRET_SOURCE_*
 */
async function resolveSecrets(
  references: SecretReferences,
  route: DataSourceRoute,
  stored: DataSourceSecrets,
): Promise<DataSourceLogin> {
  const fields = (Object.keys(route.secretReferences) as SecretField[]).filter((field) => stored[field] !== undefined)
  if (fields.length === 0) return { route, secrets: stored, found: new Map() }
  const resolved = await Promise.all(
    fields.map(async (field) => [field, await references.resolve(stored[field]!)] as const),
  )
  const found = new Map(resolved)
  const values = Object.fromEntries(resolved.map(([field, { value }]) => [field, value]))
  const { username, ...secrets }: DataSourceSecrets = { ...stored, ...values }
  return { route: username === undefined ? route : { ...route, username: username.reveal() }, secrets, found }
}

const REFUSALS: readonly ErrorCode[] = [
  'UPSTREAM_AUTH_FAILED',
  'UPSTREAM_SSH_AUTH_FAILED',
  'UPSTREAM_SSH_KEY_UNREADABLE',
  'UPSTREAM_TLS_CLIENT_CERTIFICATE',
]

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof PosternError && REFUSALS.includes(thrown.code)
}

/** What was fetched for this very attempt is as new as it gets. @returns whether another attempt makes sense */
function rejectRemembered({ found, cloudLogin }: DataSourceLogin): boolean {
  const all = [...found.values(), ...(cloudLogin === undefined ? [] : [cloudLogin])]
  const remembered = all.filter(({ origin }) => origin !== 'fetched')
  for (const secret of remembered) secret.reject()
  return remembered.length > 0
}

/** Nobody has a password to correct where a token was refused. */
async function explained(thrown: unknown, { cloudLogin }: DataSourceLogin): Promise<unknown> {
  if (cloudLogin === undefined || !(thrown instanceof PosternError) || thrown.code !== 'UPSTREAM_AUTH_FAILED')
    return thrown
  return new PosternError(thrown.code, `${thrown.message}; it was given: ${cloudLogin.description}`, {
    cause: thrown,
    hint: await cloudLogin.refusalHint(),
    ...(thrown.detail !== undefined && { detail: thrown.detail }),
  })
}
