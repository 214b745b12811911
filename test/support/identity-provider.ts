import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import type Provider from 'oidc-provider'
import { loadProvider } from '../../src/oauth/load-provider.ts'

/** What an identity provider says of a person. */
export type Person = Readonly<Record<string, unknown>> & { readonly sub: string }

export const identityProviderClient = { clientId: 'postern-at-acme', clientSecret: 'sso-client-secret-8f2c7d1a' }

/** An identity provider of a company: a second oidc-provider, over HTTP, that signs in whoever {@link person} is without asking. */
export class IdentityProvider {
  readonly #server: Server
  /** Who sits at the browser; null: nobody, and the sign-in is cancelled. */
  person: Person | null = null
  /** Every path that was asked for, in order. */
  readonly requests: string[] = []

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<IdentityProvider> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const company = new IdentityProvider(server)
    const { provider } = await company.#compose()
    const answer = provider.callback()
    server.on('request', (request, response) => {
      company.requests.push((request.url ?? '').split('?')[0] ?? '')
      void answer(request, response)
    })
    return company
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Goes through the provider's pages as a browser does, and gives the address that it is sent back to. */
  async signIn(authorizationUrl: URL): Promise<URL> {
    const cookies = new Map<string, string>()
    let url = authorizationUrl
    while (url.origin === this.issuer) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await fetch(url, { redirect: 'manual', headers: { cookie } })
      for (const line of answer.headers.getSetCookie()) {
        const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=')
        cookies.set(name, value)
      }
      const location = answer.headers.get('location')
      if (location === null) throw new Error(`${url.pathname} answered ${answer.status}: ${await answer.text()}`)
      url = new URL(location, url)
    }
    return url
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #compose(): Promise<{ readonly provider: Provider }> {
    const { Provider: ProviderClass } = await loadProvider()
    const { privateKey } = await generateKeyPair('RS256', { extractable: true })
    const provider: Provider = new ProviderClass(this.issuer, {
      clients: [
        {
          client_id: identityProviderClient.clientId,
          client_secret: identityProviderClient.clientSecret,
          redirect_uris: ['https://postern.test/callback'],
        },
      ],
      jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'company', alg: 'RS256', use: 'sig' }] },
      cookies: { keys: ['cookies of the company'] },
      scopes: ['openid', 'email', 'profile'],
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'teams'] },
      features: { devInteractions: { enabled: false } },
      pkce: { required: () => true },
      findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ ...this.person, sub: id }) }),
      interactions: { url: (_ctx, interaction) => `/sign-in/${interaction.uid}` },
      loadExistingGrant: async (ctx) => {
        const grant = new provider.Grant({
          accountId: ctx.oidc.session!.accountId!,
          clientId: ctx.oidc.client!.clientId,
        })
        grant.addOIDCScope('openid email profile')
        await grant.save()
        return grant
      },
    })
    provider.Client.prototype.redirectUriAllowed = (address: string) => address.includes('/login/sso/')
    provider.use(async (ctx, next) => {
      if (!ctx.path.startsWith('/sign-in/')) return next()
      const { person } = this
      const result = person === null ? { error: 'access_denied' } : { login: { accountId: person.sub } }
      ctx.respond = false
      await provider.interactionFinished(ctx.req, ctx.res, result)
    })
    return { provider }
  }
}
