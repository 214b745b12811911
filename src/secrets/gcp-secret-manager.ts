import { access, constants } from 'node:fs/promises'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { GcpSecretReference } from '../contract/secret-references.ts'
import { ambientTokens } from './google/ambient-token.ts'
import { GOOGLE_TOKEN_ENDPOINTS, serviceAccountTokens, type TokenEndpoint } from './google/access-token.ts'
import { refuseForeignEndpoint, requireAmbientSecret, requireStoreOrigin } from './operator-policy.ts'
import { decodeBase64Secret, isObject, parseObject } from './secret-json.ts'
import type { FetchContext, SecretDocument, SecretSource } from './secret-source.ts'

const SERVICE = 'GCP Secret Manager'
const ORIGIN = 'https://secretmanager.googleapis.com'
const TOKEN_TIMEOUT_MS = 4_000
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'

/**
 * GCP Secret Manager, `GET /v1/{name}:access`
 * (https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access). A name without a version means
 * the newest one.
 */
export const gcpSecretManagerSource = createGcpSecretManagerSource(GOOGLE_TOKEN_ENDPOINTS)

/** The source with the places where the keys of service accounts may be shown. */
export function createGcpSecretManagerSource(endpoints: readonly TokenEndpoint[]): SecretSource<GcpSecretReference> {
  return {
    documentOf: (reference) => [reference],
    keyOf: () => '',
    hostOf: ({ endpoint }) => new URL(endpoint ?? ORIGIN).host,
    async fetch(reference, context): Promise<SecretDocument> {
      const { name, serviceAccount, endpoint } = reference
      if (serviceAccount === undefined) {
        requireAmbientSecret(name, context.policy)
        refuseForeignEndpoint(endpoint)
        await requireReadableKey(context.policy.environment['GOOGLE_APPLICATION_CREDENTIALS'])
      }
      const version = name.includes('/versions/') ? name : `${name}/versions/latest`
      const url = new URL(`/v1/${version}:access`, endpoint ?? ORIGIN)
      requireStoreOrigin(url, context.policy)
      const token = await accessToken(reference, endpoints, context)
      const { status, body } = await context.http.request({
        method: 'GET',
        url,
        headers: { accept: 'application/json', authorization: `Bearer ${token.reveal()}` },
        signal: context.signal,
      })
      if (status !== 200) throw refusal(status, name)
      const { payload, name: found } = parseObject(body, SERVICE)
      const value = decodeBase64Secret(isObject(payload) ? payload['data'] : undefined, SERVICE)
      return { values: new Map([['', value]]), version: versionOf(found), leaseMs: null }
    },
  }
}

/** Google's library says of a key file that it cannot read only that there is no identity. */
async function requireReadableKey(path: string | undefined): Promise<void> {
  if (path === undefined || path === '') return
  try {
    await access(path, constants.R_OK)
  } catch (cause) {
    throw new PosternError('SECRET_SOURCE_NOT_FOUND', `GOOGLE_APPLICATION_CREDENTIALS: ${path} cannot be read`, {
      cause,
      hint: 'Check its path and mode; in a container it must lie in a mounted folder.',
    })
  }
}

/** @throws PosternError SECRET_SOURCE_DENIED | SECRET_SOURCE_UNAVAILABLE */
async function accessToken(
  { name, serviceAccount }: GcpSecretReference,
  endpoints: readonly TokenEndpoint[],
  { dialer, signal }: FetchContext,
): Promise<Secret> {
  const project = name.split('/')[1] ?? ''
  // Whose secrets the node may read is settled by their names; the project follows from them.
  const ambient = () => ambientTokens(project, [SCOPE], { ambientGoogleProjects: [project] })
  const source =
    serviceAccount === undefined ? ambient() : serviceAccountTokens(new Secret(serviceAccount), [SCOPE], endpoints)
  try {
    return await source({ dialer, timeoutMs: TOKEN_TIMEOUT_MS, signal })
  } catch (thrown) {
    if (!(thrown instanceof PosternError) || thrown.code === 'INVALID_ARGUMENT') throw thrown
    const code = thrown.code === 'UPSTREAM_AUTH_FAILED' ? 'SECRET_SOURCE_DENIED' : 'SECRET_SOURCE_UNAVAILABLE'
    throw new PosternError(code, thrown.message, { cause: thrown, hint: thrown.hint })
  }
}

function versionOf(name: unknown): string | null {
  return typeof name === 'string' ? (/\/versions\/([^/]+)$/.exec(name)?.[1] ?? null) : null
}

function refusal(status: number, name: string): PosternError {
  if (status === 403) {
    return new PosternError('SECRET_SOURCE_DENIED', `Google denies secretmanager.versions.access on ${name}`, {
      hint: 'Grant the role Secret Manager Secret Accessor (roles/secretmanager.secretAccessor) to the service account.',
    })
  }
  if (status === 401) {
    return new PosternError('SECRET_SOURCE_DENIED', 'Google does not accept the access token of this identity')
  }
  if (status === 404) return new PosternError('SECRET_SOURCE_NOT_FOUND', `${SERVICE} has no ${name}`)
  if (status === 400) {
    return new PosternError('SECRET_SOURCE_NOT_FOUND', `${name} is disabled or destroyed, or its name is malformed`)
  }
  if (status >= 500 || status === 429) {
    return new PosternError('SECRET_SOURCE_UNAVAILABLE', `${SERVICE} cannot answer now (HTTP ${status})`)
  }
  return new PosternError('SECRET_SOURCE_INVALID', `${SERVICE} answered with HTTP ${status}`)
}
