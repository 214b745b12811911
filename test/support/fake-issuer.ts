import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose'

export interface IssuerKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly jwk: Record<string, unknown>
}

/** An issuer of workload tokens, as CI systems run one: a discovery document and keys over HTTP, and nothing else. */
export class FakeIssuer {
  readonly #server: Server
  readonly keys: IssuerKey[] = []
  /** Every path that was asked for, in order. */
  readonly requests: string[] = []
  /** Stands in for the answer of a path. */
  readonly answers = new Map<string, { readonly status: number; readonly body: string; readonly location?: string }>()

  private constructor() {
    this.#server = createServer((request, response) => {
      const path = request.url ?? ''
      this.requests.push(path)
      const { status, body, location } = this.answers.get(path) ?? this.#answer(path)
      response.writeHead(status, { 'content-type': 'application/json', ...(location && { location }) }).end(body)
    })
  }

  static async start(): Promise<FakeIssuer> {
    const issuer = new FakeIssuer()
    await new Promise<void>((resolve) => issuer.#server.listen(0, '127.0.0.1', resolve))
    await issuer.addKey('first', 'RS256')
    return issuer
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async addKey(kid: string, alg: string): Promise<IssuerKey> {
    const { publicKey, privateKey } = await generateKeyPair(alg)
    const key = { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
    this.keys.push(key)
    return key
  }

  /** A token of five minutes; claims that are given replace those of a good one, undefined ones are left out. */
  sign(claims: JWTPayload, header: Partial<JWTHeaderParameters> = {}, key = this.keys[0]): Promise<string> {
    if (key === undefined) throw new Error('the issuer has no key')
    const now = Math.floor(Date.now() / 1000)
    const payload = { iss: this.url, iat: now, exp: now + 300, jti: 'token-1', ...claims }
    return new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
      .setProtectedHeader({ alg: String(key.jwk['alg']), kid: key.kid, ...header })
      .sign(key.privateKey)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(path: string): { status: number; body: string; location?: string } {
    if (path === '/.well-known/openid-configuration') {
      return { status: 200, body: JSON.stringify({ issuer: this.url, jwks_uri: `${this.url}/keys` }) }
    }
    if (path === '/keys') return { status: 200, body: JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) }) }
    return { status: 404, body: '{}' }
  }
}
