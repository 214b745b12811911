import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

/** A KV version 2 secret: its versions from 1 on; null is a deleted one. */
type Versions = (Record<string, unknown> | null)[]

interface Policy {
  /** Paths (as in the URL after /v1/) that may be read or updated. */
  readonly paths: readonly string[]
}

interface Token {
  readonly policy: Policy
  expiresAt: number
  readonly ttlSeconds: number
  readonly renewable: boolean
}

export interface FakeVaultOptions {
  readonly tls?: ServerOptions
  /** Requires this namespace header, as a Vault Enterprise namespace does. */
  readonly namespace?: string
  readonly now?: () => number
}

/**
 * HashiCorp Vault as its public API reference describes it, strict: KV version 2 and 1, tokens, AppRole, leases of the database
 * engine, sealed, standby. What is not documented is answered 404 or 405, a wrong token 403 with Vault's own words.
 */
export class FakeVault {
  readonly secrets = new Map<string, Versions>()
  readonly tokens = new Map<string, Token>()
  readonly approles = new Map<string, { secretId: string; policy: Policy; ttlSeconds: number; renewable?: boolean }>()
  readonly databaseRoles = new Map<string, { ttlSeconds: number; maxTtlSeconds: number }>()
  readonly leases = new Map<string, { issuedAt: number; expiresAt: number; maxTtlSeconds: number; username: string }>()
  /** Every request as `METHOD /path`, in order; never a body or a token. */
  readonly requests: string[] = []
  readonly revokedTokens: string[] = []
  readonly revokedLeases: string[] = []
  sealed = false
  redirectTo: string | undefined
  /** Answers nothing at all. */
  isSilent = false
  /** Paths of what was asked meanwhile. */
  readonly unanswered: string[] = []
  readonly #options: FakeVaultOptions
  readonly #server

  constructor(options: FakeVaultOptions = {}) {
    this.#options = options
    const listener = (request: IncomingMessage, response: import('node:http').ServerResponse) => {
      let text = ''
      request.setEncoding('utf8')
      request.on('data', (chunk: string) => (text += chunk))
      request.on('end', () => {
        if (this.isSilent) return void this.unanswered.push(request.url ?? '')
        const { status, body, headers } = this.#answer(request, text)
        response.writeHead(status, { 'content-type': 'application/json', ...headers })
        response.end(body === undefined ? '' : JSON.stringify(body))
      })
    }
    this.#server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener)
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const { port } = this.#server.address() as AddressInfo
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  addToken(token: string, paths: readonly string[]): void {
    this.tokens.set(token, { policy: { paths }, expiresAt: Infinity, ttlSeconds: 0, renewable: false })
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now()
  }

  #answer(
    request: IncomingMessage,
    text: string,
  ): { status: number; body?: unknown; headers?: Record<string, string> } {
    const url = new URL(request.url ?? '/', 'http://vault.test')
    const method = request.method ?? ''
    this.requests.push(`${method} ${url.pathname}${url.search}`)
    if (this.redirectTo !== undefined)
      return { status: 307, headers: { location: `${this.redirectTo}${url.pathname}` } }
    if (this.sealed) return { status: 503, body: { errors: ['Vault is sealed'] } }
    if (!url.pathname.startsWith('/v1/')) return notFound()
    const path = decodeURIComponent(url.pathname.slice('/v1/'.length))
    const { namespace } = this.#options
    if (namespace !== undefined && request.headers['x-vault-namespace'] !== namespace) return denied()
    const login = /^auth\/([^/]+)\/login$/.exec(path)
    if (login) return method === 'POST' || method === 'PUT' ? this.#logIn(login[1] ?? '', text) : unsupported()

    const tokenId = request.headers['x-vault-token']
    const token = typeof tokenId === 'string' ? this.tokens.get(tokenId) : undefined
    if (!token || typeof tokenId !== 'string' || this.#now() >= token.expiresAt) return denied()
    if (path === 'auth/token/renew-self') return this.#renewToken(token, tokenId)
    if (path === 'auth/token/revoke-self') {
      this.tokens.delete(tokenId)
      this.revokedTokens.push(tokenId)
      return { status: 204 }
    }
    const mounts = /^sys\/internal\/ui\/mounts\/([^/]+)/.exec(path)
    if (mounts) return this.#describeMount(mounts[1] ?? '', token)
    if (path === 'sys/leases/renew') return this.#renewLease(JSON.parse(text) as { lease_id: string })
    if (path === 'sys/leases/revoke') return this.#revokeLease(JSON.parse(text) as { lease_id: string })
    if (!token.policy.paths.includes(path)) return denied()
    if (method !== 'GET') return unsupported()
    const kv = /^([^/]+)\/data\/(.+)$/.exec(path)
    if (kv && kv[1] !== 'kv1') return this.#readKv(`${kv[1]}/${kv[2]}`, url.searchParams.get('version'))
    const creds = /^([^/]+)\/creds\/(.+)$/.exec(path)
    if (creds) return this.#makeCredentials(creds[1] ?? '', creds[2] ?? '')
    return notFound()
  }

  #logIn(mount: string, text: string) {
    if (![...this.approles.keys()].some((key) => key.startsWith(`${mount}/`))) return notFound()
    const { role_id: roleId, secret_id: secretId } = JSON.parse(text) as { role_id?: string; secret_id?: string }
    const role = this.approles.get(`${mount}/${roleId}`)
    if (!role || role.secretId !== secretId) return { status: 400, body: { errors: ['invalid role or secret ID'] } }
    const id = `hvs.${randomUUID()}`
    const { ttlSeconds, policy, renewable = true } = role
    this.tokens.set(id, { policy, ttlSeconds, renewable, expiresAt: this.#now() + ttlSeconds * 1_000 })
    return { status: 200, body: { auth: { client_token: id, lease_duration: ttlSeconds, renewable } } }
  }

  #renewToken(token: Token, id: string) {
    if (!token.renewable) return { status: 400, body: { errors: ['lease is not renewable'] } }
    token.expiresAt = this.#now() + token.ttlSeconds * 1_000
    return { status: 200, body: { auth: { client_token: id, lease_duration: token.ttlSeconds, renewable: true } } }
  }

  #describeMount(mount: string, token: Token) {
    if (!token.policy.paths.some((path) => path.startsWith(`${mount}/`))) return denied()
    if (mount === 'kv1') return { status: 200, body: { data: { type: 'kv', options: { version: '1' } } } }
    return { status: 200, body: { data: { type: 'kv', options: { version: '2' } } } }
  }

  #readKv(name: string, asked: string | null) {
    const versions = this.secrets.get(name)
    if (!versions) return notFound()
    const version = asked === null ? versions.length : Number(asked)
    if (version < 1 || version > versions.length) return notFound()
    const data = versions[version - 1] ?? null
    const metadata = { version, destroyed: false, deletion_time: data === null ? '2026-11-01T00:00:00Z' : '' }
    return { status: data === null ? 404 : 200, body: { data: { data, metadata } } }
  }

  #makeCredentials(engine: string, role: string) {
    const made = this.databaseRoles.get(`${engine}/${role}`)
    if (!made) return { status: 400, body: { errors: [`unknown role: ${role}`] } }
    const id = `${engine}/creds/${role}/${randomUUID()}`
    const username = `v-${role}-${this.leases.size + 1}`
    const now = this.#now()
    const { ttlSeconds, maxTtlSeconds } = made
    this.leases.set(id, { issuedAt: now, expiresAt: now + ttlSeconds * 1_000, maxTtlSeconds, username })
    const data = { username, password: `made-for-${username}` }
    return { status: 200, body: { lease_id: id, lease_duration: ttlSeconds, renewable: true, data } }
  }

  #renewLease({ lease_id: id, increment }: { lease_id: string; increment?: number }) {
    const lease = this.leases.get(id)
    if (!lease || this.#now() >= lease.expiresAt) return { status: 400, body: { errors: ['lease not found'] } }
    const longest = lease.issuedAt + lease.maxTtlSeconds * 1_000
    lease.expiresAt = Math.min(this.#now() + (increment ?? 3_600) * 1_000, longest)
    const seconds = Math.floor((lease.expiresAt - this.#now()) / 1_000)
    return { status: 200, body: { lease_id: id, lease_duration: seconds, renewable: true } }
  }

  #revokeLease({ lease_id: id }: { lease_id: string }) {
    this.leases.delete(id)
    this.revokedLeases.push(id)
    return { status: 204 }
  }
}

const denied = () => ({ status: 403, body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } })
const notFound = () => ({ status: 404, body: { errors: [] } })
const unsupported = () => ({ status: 405, body: { errors: ['unsupported operation'] } })
