import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { GcpSecretReference } from '../contract/secret-references.ts'
import { GOOGLE_TOKEN_ENDPOINTS, type TokenEndpoint } from './google/access-token.ts'
import { googleToken } from './google/google-token.ts'
import { refuseForeignEndpoint, requireAmbientSecret, requireStoreOrigin } from './operator-policy.ts'
import { decodeBase64Secret, isObject, parseObject } from './secret-json.ts'
import type { SecretDocument, SecretSource } from './secret-source.ts'

const SERVICE = 'GCP Secret Manager'
const ORIGIN = 'https://secretmanager.googleapis.com'
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
      }
      const version = name.includes('/versions/') ? name : `${name}/versions/latest`
      const url = new URL(`/v1/${version}:access`, endpoint ?? ORIGIN)
      requireStoreOrigin(url, context.policy)
      const given = serviceAccount === undefined ? undefined : new Secret(serviceAccount)
      const { token } = await googleToken(given, [SCOPE], context, endpoints)
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
