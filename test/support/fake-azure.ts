import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * The token endpoint of Microsoft Entra and one Key Vault, as their references describe them, strict: grant type, scope, api-version and
 * bearer token are checked, unknown paths are 404.
 */
export class FakeAzure {
  readonly applications = new Map<string, { readonly tenantId: string; readonly secret: string }>()
  /** Versions of a secret by their ids, the newest last; the ids are 32 hex digits. */
  readonly secrets = new Map<string, Map<string, string>>()
  readonly allowed = new Set<string>()
  readonly requests: string[] = []
  /** Told of every token before it is given out. */
  onToken: (token: string, clientId: string, scope: string) => void = () => undefined
  readonly #tokens = new Map<string, { readonly clientId: string; readonly scope: string }>()
  readonly #server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const { status, answer } = this.#answer(request, body)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer))
    })
  })

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(request: IncomingMessage, body: string): { status: number; answer: unknown } {
    const url = new URL(request.url ?? '/', 'http://azure.test')
    this.requests.push(`${request.method} ${url.pathname}`)
    const token = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(url.pathname)
    if (token && request.method === 'POST') return this.#token(token[1] ?? '', new URLSearchParams(body))
    const secret = /^\/secrets\/([A-Za-z0-9-]+)(?:\/([0-9a-f]{32}))?$/.exec(url.pathname)
    if (secret && request.method === 'GET') return this.#secret(request, url, secret[1] ?? '', secret[2])
    return { status: 404, answer: {} }
  }

  #token(tenantId: string, form: URLSearchParams) {
    const application = this.applications.get(form.get('client_id') ?? '')
    if (form.get('grant_type') !== 'client_credentials') return refused(400, 'unsupported_grant_type')
    if (!application || application.tenantId !== tenantId) return refused(400, 'unauthorized_client')
    if (application.secret !== form.get('client_secret')) return refused(401, 'invalid_client')
    const scope = form.get('scope') ?? ''
    if (!scope.endsWith('/.default')) return refused(400, 'invalid_scope')
    const accessToken = randomUUID()
    this.onToken(accessToken, form.get('client_id') ?? '', scope)
    this.#tokens.set(accessToken, { clientId: form.get('client_id') ?? '', scope })
    return { status: 200, answer: { token_type: 'Bearer', expires_in: 3_599, access_token: accessToken } }
  }

  #secret(request: IncomingMessage, url: URL, name: string, version: string | undefined) {
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    const token = this.#tokens.get(bearer ?? '')
    if (token?.scope !== 'https://vault.azure.net/.default') return refused(401, 'Unauthorized')
    if (url.searchParams.get('api-version') !== '7.4') return refused(400, 'BadParameter')
    if (!this.allowed.has(`${token.clientId} ${name}`)) return refused(403, 'Forbidden')
    const versions = this.secrets.get(name)
    const id = version ?? [...(versions?.keys() ?? [])].at(-1) ?? ''
    const value = versions?.get(id)
    if (value === undefined) return refused(404, 'SecretNotFound')
    return { status: 200, answer: { value, id: `https://fake.vault.azure.net/secrets/${name}/${id}` } }
  }
}

function refused(status: number, error: string) {
  return { status, answer: { error: { code: error }, error_description: 'from the fake' } }
}
