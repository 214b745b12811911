import { PosternError, type ErrorCode } from '../base/errors.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets, SecretField } from '../dialer/data-source-secrets.ts'
import type { ResolvedSecret, SecretReferences } from '../dialer/secret-references.ts'
import type { DataSourceRow } from '../store/data-sources.ts'
import { openDataSourceSecrets, routeOf } from './data-source-secrets.ts'

/** All that an attempt to reach a database needs: its secrets are the ones themselves, wherever they live. */
export interface DataSourceLogin {
  /** With the user that a manager named, where it does. */
  readonly route: DataSourceRoute
  readonly secrets: DataSourceSecrets
  /** How the secrets that live elsewhere were found, by their fields. */
  readonly found: ReadonlyMap<SecretField, ResolvedSecret>
}

interface LoginDependencies {
  readonly masterKey: MasterKey
  readonly dialer: { readonly secretReferences: SecretReferences }
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
  return withLogin(deps.dialer.secretReferences, routeOf(source), await openDataSourceSecrets(deps, source), attempt)
}

/** {@link withDataSourceLogin} for a data source that is not stored, with its secrets as they would be. */
export async function withLogin<T>(
  references: SecretReferences,
  route: DataSourceRoute,
  stored: DataSourceSecrets,
  attempt: (login: DataSourceLogin) => Promise<T>,
): Promise<T> {
  const login = await resolveLogin(references, route, stored)
  try {
    return await attempt(login)
  } catch (thrown) {
    if (!isRefusal(thrown) || !rejectRemembered(login)) throw thrown
    return attempt(await resolveLogin(references, route, stored))
  }
}

/**
 * The secrets of a data source in place of their references.
 * @throws PosternError SECRET_SOURCE_*
 */
export async function resolveLogin(
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
]

function isRefusal(thrown: unknown): boolean {
  return thrown instanceof PosternError && REFUSALS.includes(thrown.code)
}

/** What was fetched for this very attempt is as new as it gets. @returns whether another attempt makes sense */
function rejectRemembered({ found }: DataSourceLogin): boolean {
  const remembered = [...found.values()].filter(({ origin }) => origin !== 'fetched')
  for (const secret of remembered) secret.reject()
  return remembered.length > 0
}
