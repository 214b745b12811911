import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { isGoodAssertion } from './google-assertion.ts'
import { localhostCertificate } from './localhost-certificate.ts'

const EMAIL = 'postern@test-project.iam.gserviceaccount.com'

/** The token endpoint of Google and GCP Secret Manager's `:access`, strict, by HTTPS at localhost. */
export class FakeGoogle {
  /** `projects/P/secrets/S/versions/N` → its bytes; null: disabled or destroyed. */
  readonly versions = new Map<string, Buffer | null>()
  readonly requests: string[] = []
  canAccess = true
  status: number | undefined
  readonly caPem = localhostCertificate.cert
  readonly #keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  readonly #tokens = new Set<string>()
  readonly #scope: string
  readonly #server
  #origin = ''

  constructor(scope: string) {
    this.#scope = scope
    this.#server = createServer(localhostCertificate, (request, response) => {
      void this.#answer(request, response)
    })
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.#origin = `https://localhost:${(this.#server.address() as AddressInfo).port}`
    return this.#origin
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get tokenUri(): string {
    return `${this.#origin}/token`
  }

  /** The key of its one service account, as Google's console gives it out. */
  keyJson(changes: Readonly<Record<string, unknown>> = {}): string {
    return JSON.stringify({
      type: 'service_account',
      project_id: 'test-project',
      private_key_id: 'key-1',
      private_key: this.#keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: EMAIL,
      token_uri: this.tokenUri,
      ...changes,
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.#origin)
    const body = await text(request)
    this.requests.push(`${request.method} ${url.pathname}`)
    const [status, answer] =
      url.pathname === '/token' ? this.#token(request, new URLSearchParams(body)) : this.#access(request, url)
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer))
  }

  #token(request: IncomingMessage, form: URLSearchParams): [number, unknown] {
    if (request.method !== 'POST') return [405, {}]
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
      return [400, { error: 'unsupported_grant_type' }]
    }
    const expected = {
      publicKey: createPublicKey(this.#keys.privateKey),
      keyId: 'key-1',
      email: EMAIL,
      scope: this.#scope,
      audience: this.tokenUri,
    }
    if (!isGoodAssertion(form.get('assertion') ?? '', expected)) return [400, { error: 'invalid_grant' }]
    const token = `ya29.${randomUUID()}`
    this.#tokens.add(token)
    return [200, { access_token: token, expires_in: 3599, token_type: 'Bearer' }]
  }

  #access(request: IncomingMessage, url: URL): [number, unknown] {
    const refuse = (status: number, name: string): [number, unknown] => [
      status,
      { error: { code: status, status: name } },
    ]
    if (this.status !== undefined) return refuse(this.status, 'UNAVAILABLE')
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (!this.#tokens.has(bearer ?? '')) return refuse(401, 'UNAUTHENTICATED')
    const asked = /^\/v1\/(projects\/[^/]+\/secrets\/[^/]+)\/versions\/([^/:]+):access$/.exec(url.pathname)
    if (!asked || request.method !== 'GET') return refuse(404, 'NOT_FOUND')
    if (!this.canAccess) return refuse(403, 'PERMISSION_DENIED')
    const [, secret = '', version = ''] = asked
    const names = [...this.versions.keys()].filter((name) => name.startsWith(`${secret}/versions/`))
    const name = version === 'latest' ? names.at(-1) : `${secret}/versions/${version}`
    const bytes = name === undefined ? undefined : this.versions.get(name)
    if (bytes === undefined) return refuse(404, 'NOT_FOUND')
    if (bytes === null) return refuse(400, 'FAILED_PRECONDITION')
    return [200, { name, payload: { data: bytes.toString('base64'), dataCrc32c: '0' } }]
  }
}
