import { readFile } from 'node:fs/promises'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { parseObjectOrEmpty } from '../secret-json.ts'
import type { FetchContext } from '../secret-source.ts'
import { GOOGLE_TOKEN_ENDPOINTS, serviceAccountToken, type AccessToken, type TokenEndpoint } from './access-token.ts'
import { ambientToken } from './ambient-token.ts'

const TIMEOUT_MS = 4_000

/**
 * An access token of a Google identity: that of a given key, or of this node (GOOGLE_APPLICATION_CREDENTIALS, metadata server).
 * Whether this node's own may be used, the caller has asked.
 *
 * @throws PosternError INVALID_ARGUMENT for a given key that cannot be used | SECRET_SOURCE_NOT_FOUND naming the key file of this
 *   node | SECRET_SOURCE_DENIED | SECRET_SOURCE_UNAVAILABLE
 */
export async function googleToken(
  serviceAccount: Secret | undefined,
  scopes: readonly string[],
  { dialer, policy, signal }: FetchContext,
  endpoints: readonly TokenEndpoint[] = GOOGLE_TOKEN_ENDPOINTS,
): Promise<AccessToken> {
  const request = { dialer, timeoutMs: TIMEOUT_MS, signal }
  const key = serviceAccount ?? (await keyOfNode(policy.environment['GOOGLE_APPLICATION_CREDENTIALS']))
  const { googleTokenEndpoint: own } = policy
  try {
    if (key === undefined) return await ambientToken(scopes, request)
    return await serviceAccountToken(
      key,
      scopes,
      [...endpoints, ...(own === undefined ? [] : [endpointAt(own)])],
      request,
    )
  } catch (thrown) {
    if (!(thrown instanceof PosternError) || thrown.code === 'INVALID_ARGUMENT') throw thrown
    const code = thrown.code === 'UPSTREAM_AUTH_FAILED' ? 'SECRET_SOURCE_DENIED' : 'SECRET_SOURCE_UNAVAILABLE'
    throw new PosternError(code, thrown.message, { cause: thrown, hint: thrown.hint })
  }
}

/** The key file of this node, if it holds one; other kinds of credentials are up to Google's library. */
async function keyOfNode(path: string | undefined): Promise<Secret | undefined> {
  if (path === undefined || path === '') return undefined
  let json: string
  try {
    json = await readFile(path, 'utf8')
  } catch (cause) {
    // Google's library says of it only that there is no identity.
    throw new PosternError('SECRET_SOURCE_NOT_FOUND', `GOOGLE_APPLICATION_CREDENTIALS: ${path} cannot be read`, {
      cause,
      hint: 'Check its path and mode; in a container it must lie in a mounted folder.',
    })
  }
  return parseObjectOrEmpty(Buffer.from(json))['type'] === 'service_account' ? new Secret(json) : undefined
}

function endpointAt(uri: string): TokenEndpoint {
  const { protocol, hostname, port } = new URL(uri)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return { uri, host, port: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port), tlsCa: null }
}
