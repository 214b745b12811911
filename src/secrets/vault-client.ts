import { createHash } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { VaultServer } from '../contract/secret-references.ts'
import { readOperatorSource, requireStoreOrigin } from './operator-policy.ts'
import type { SecretResponse } from './secret-http.ts'
import { invalidAnswer, isObject, parseObject, parseObjectOrEmpty } from './secret-json.ts'
import type { FetchContext } from './secret-source.ts'

/** A login to Vault: its token, and until when it may be used, in epoch milliseconds. */
interface VaultSession {
  readonly server: VaultServer
  readonly token: Secret
  readonly renewable: boolean
  renewAt: number
  expiresAt: number
}

export interface VaultRequest {
  readonly method: 'GET' | 'PUT'
  /** Below `/v1/`, for example `secret/data/app`; each part is encoded here. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: object
}

/**
 * Requests to HashiCorp Vault as a logged-in client (https://developer.hashicorp.com/vault/api-docs).
 * An AppRole logs in once per server and identity; its token is renewed at two thirds of its life and revoked by {@link close}.
 * A token that was given to us is read each time, so that a new one in its file or variable counts at once, and never revoked.
 */
export class VaultClient {
  readonly #sessions = new Map<string, VaultSession>()

  /**
   * @returns the answer, whatever its status but 403 and the ones that mean that Vault cannot answer now
   * @throws PosternError SECRET_SOURCE_DENIED naming path and capability | SECRET_SOURCE_UNAVAILABLE | SECRET_SOURCE_REFUSED
   */
  async request(server: VaultServer, context: FetchContext, request: VaultRequest): Promise<SecretResponse> {
    const session = await this.#session(server, context)
    let answer = await send(server, context, request, session.token)
    if (answer.status === 403 && server.auth.method === 'app_role') {
      // Vault may have ended the session: an identity that lacks the permission is refused again at once.
      this.#sessions.delete(sessionKey(server))
      answer = await send(server, context, request, (await this.#session(server, context)).token)
    }
    if (answer.status === 403) throw denied(request)
    return answer
  }

  /** Revokes the tokens that we made. One that cannot be revoked ends with its time. */
  async close(context: FetchContext): Promise<void> {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    const revoke = { method: 'PUT', path: 'auth/token/revoke-self' } as const
    await Promise.allSettled(sessions.map(({ server, token }) => send(server, context, revoke, token)))
  }

  async #session(server: VaultServer, context: FetchContext): Promise<{ readonly token: Secret }> {
    const { auth } = server
    if (auth.method === 'token') return { token: await readOperatorSource(auth.token, context.policy) }
    const key = sessionKey(server)
    const known = this.#sessions.get(key)
    const now = context.now().getTime()
    if (known && now < known.renewAt) return known
    if (known && now < known.expiresAt && (await renew(known, context))) return known
    const session = await logIn(server, context)
    this.#sessions.set(key, session)
    return session
  }
}

async function logIn(server: VaultServer, context: FetchContext): Promise<VaultSession> {
  const { auth } = server
  if (auth.method !== 'app_role') throw new PosternError('INTERNAL', 'a token needs no login')
  const secretId = await readOperatorSource(auth.secretId, context.policy)
  const body = { role_id: auth.roleId, secret_id: secretId.reveal() }
  const path = `auth/${auth.mountPath}/login`
  const answer = await send(server, context, { method: 'PUT', path, body }, undefined)
  if (answer.status === 400 || answer.status === 403) {
    throw new PosternError('SECRET_SOURCE_DENIED', `Vault refused the AppRole login at auth/${auth.mountPath}`, {
      hint: 'Check role id and secret id: a secret id may have expired or been used up.',
    })
  }
  if (answer.status === 404) {
    throw new PosternError('SECRET_SOURCE_NOT_FOUND', `Vault has no AppRole method at auth/${auth.mountPath}`)
  }
  requireOk(answer, `login at auth/${auth.mountPath}`)
  const login = parseObject(answer.body, 'Vault')['auth']
  const token = isObject(login) ? login['client_token'] : undefined
  const seconds = isObject(login) ? login['lease_duration'] : undefined
  if (!isObject(login) || typeof token !== 'string' || token === '' || typeof seconds !== 'number') {
    throw invalidAnswer('Vault', 'the answer is not one of an AppRole login')
  }
  return { server, token: new Secret(token), renewable: login['renewable'] === true, ...lifeOf(seconds, context) }
}

async function renew(session: VaultSession, context: FetchContext): Promise<boolean> {
  if (!session.renewable) return false
  const answer = await send(session.server, context, { method: 'PUT', path: 'auth/token/renew-self' }, session.token)
  if (answer.status !== 200) return false
  const login = parseObject(answer.body, 'Vault')['auth']
  const seconds = isObject(login) ? login['lease_duration'] : undefined
  if (typeof seconds !== 'number' || seconds <= 0) return false
  Object.assign(session, lifeOf(seconds, context))
  return true
}

/** A duration of 0 means a token that does not end. */
function lifeOf(seconds: number, context: FetchContext): { renewAt: number; expiresAt: number } {
  if (seconds === 0) return { renewAt: Number.POSITIVE_INFINITY, expiresAt: Number.POSITIVE_INFINITY }
  const now = context.now().getTime()
  return { renewAt: now + (seconds * 1_000 * 2) / 3, expiresAt: now + seconds * 1_000 }
}

async function send(
  server: VaultServer,
  context: FetchContext,
  { method, path, query, body }: VaultRequest,
  token: Secret | undefined,
): Promise<SecretResponse> {
  const url = new URL(server.url)
  requireStoreOrigin(url, context.policy)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${encodePath(path)}`
  url.search = new URLSearchParams(query).toString()
  const answer = await context.http.request({
    method,
    url,
    headers: {
      accept: 'application/json',
      // A listener may demand it (require_request_header), against requests that others are tricked into sending.
      'x-vault-request': 'true',
      ...(server.namespace !== undefined && { 'x-vault-namespace': server.namespace }),
      ...(token && { 'x-vault-token': token.reveal() }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
    tls: {
      caPem: server.tlsCa,
      certificatePem: server.tlsClientCertificate,
      privateKeyPem: server.tlsClientKey === undefined ? undefined : new Secret(server.tlsClientKey),
    },
    signal: context.signal,
  })
  requireAnswering(answer)
  return answer
}

/** A URL drops `.` and `..` with the part before them: such a path would lead elsewhere than its reference says. */
function encodePath(path: string): string {
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new PosternError(
      'SECRET_SOURCE_INVALID',
      `the path ${path} of the secret reference has an empty part or dots`,
    )
  }
  return parts.map(encodeURIComponent).join('/')
}

/** 429, 472 and 473: standby; 307 and 308: a standby that names the active node, which is another host. */
function requireAnswering(answer: SecretResponse): void {
  const { status } = answer
  if (status === 307 || status === 308) {
    throw new PosternError('SECRET_SOURCE_REFUSED', 'Vault redirects to another host, which is not followed', {
      hint: 'Use the address of the active node, or of a load balancer that leads to it.',
    })
  }
  if (status < 500 && status !== 429 && status !== 472 && status !== 473) return
  const { errors } = parseObjectOrEmpty(answer.body)
  const isSealed = status === 503 && Array.isArray(errors) && errors.includes('Vault is sealed')
  throw new PosternError(
    'SECRET_SOURCE_UNAVAILABLE',
    isSealed ? 'Vault is sealed' : `Vault cannot answer now (HTTP ${status})`,
    isSealed ? { hint: 'Unseal it: vault operator unseal' } : {},
  )
}

/** @throws PosternError SECRET_SOURCE_INVALID for a status that the documentation does not name here */
export function requireOk(answer: SecretResponse, what: string): void {
  if (answer.status !== 200) throw invalidAnswer('Vault', `the ${what} was answered with HTTP ${answer.status}`)
}

function denied({ method, path }: VaultRequest): PosternError {
  const capability = method === 'GET' ? 'read' : 'update'
  return new PosternError('SECRET_SOURCE_DENIED', `Vault refused to ${capability} ${path}`, {
    hint: `Add to the policy of this identity: path "${path}" { capabilities = ["${capability}"] } and check that its token is still valid.`,
  })
}

function sessionKey({ url, namespace, auth }: VaultServer): string {
  return createHash('sha256')
    .update(JSON.stringify([url, namespace, auth]))
    .digest('base64')
}
