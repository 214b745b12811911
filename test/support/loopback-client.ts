import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Tokens {
  readonly access_token: string
  readonly refresh_token?: string
  readonly scope: string
}

/**
 * A native program that signs its user in (RFC 8252): listens on a loopback port of its own, gives the address to open, and
 * exchanges the code that comes back. It shares no code with Postern's own client.
 */
export class LoopbackClient {
  readonly authorizationUrl: string
  /** The tokens, once the browser has come back. */
  readonly tokens: Promise<Tokens>

  private constructor(authorizationUrl: string, tokens: Promise<Tokens>) {
    this.authorizationUrl = authorizationUrl
    this.tokens = tokens
  }

  static async start(httpUrl: string, clientId: string): Promise<LoopbackClient> {
    const verifier = randomBytes(32).toString('base64url')
    const state = randomBytes(16).toString('base64url')
    const cameBack = Promise.withResolvers<URL>()
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://localhost')
      response.end('<title>Back</title><h1>Back in the program</h1>')
      if (url.searchParams.has('state')) cameBack.resolve(url)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const redirectUri = `http://localhost:${(server.address() as AddressInfo).port}`
    const parameters = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      scope: 'offline_access all-apis',
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
    const exchange = async (): Promise<Tokens> => {
      const { searchParams } = await cameBack.promise
      server.close()
      server.closeAllConnections()
      const code = searchParams.get('code')
      if (searchParams.get('state') !== state || code === null) throw new Error(`refused: ${searchParams.toString()}`)
      const form = { grant_type: 'authorization_code', client_id: clientId, redirect_uri: redirectUri }
      const body = new URLSearchParams({ ...form, code, code_verifier: verifier })
      const answer = await fetch(`${httpUrl}/oidc/v1/token`, { method: 'POST', body })
      if (!answer.ok) throw new Error(`no tokens: ${answer.status} ${await answer.text()}`)
      return (await answer.json()) as Tokens
    }
    return new LoopbackClient(`${httpUrl}/oidc/v1/authorize?${parameters.toString()}`, exchange())
  }
}
