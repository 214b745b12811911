import { hkdfSync } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Clock } from '../base/clock.ts'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import { IssuerKeys } from '../identity/issuers/issuer-keys.ts'
import type { SignInThrottle } from '../identity/sign-in-throttle.ts'
import { verifyClientSecret } from '../identity/verify-client-secret.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import type { Store } from '../store/store.ts'
import type { Caller } from './caller.ts'
import { findPrincipalAccount } from './account.ts'
import { findServicePrincipalClient } from './clients.ts'
import { askAlways } from './interactions/ask-always.ts'
import { aroundDevicePages, deviceFlowPages } from './interactions/device-flow.ts'
import { renderOauthError, sayWhatIsAway } from './interactions/failure-pages.ts'
import { answerForAccessTokens } from './introspect-access-token.ts'
import { keepSignIn, type SignInMethod } from './interactions/finish-interaction.ts'
import { FormTokens } from './interactions/form-token.ts'
import type { InteractionDependencies } from './interactions/interaction-dependencies.ts'
import { interactionPages } from './interactions/interaction-pages.ts'
import { signInIsOver } from './interactions/sign-in-is-over.ts'
import { SignInLimits } from './interactions/sign-in-limits.ts'
import { isMarkedBrowser } from './interactions/sso-cookie.ts'
import { signOutPage } from './interactions/sign-out-page.ts'
import type { OidcProviderModule } from './load-provider.ts'
import { addPasswordGrant } from './password-grant.ts'
import { ClientAdapter, PostgresAdapter } from './postgres-adapter.ts'
import { oauthPaths, providerConfiguration } from './provider-configuration.ts'
import { throwingOauthErrors } from './throwing-oauth-errors.ts'
import { aroundTokenEndpoint, reuseMark } from './token-endpoint.ts'
import { addTokenExchangeGrant, asTokenExchangeClient, isTokenExchange } from './token-exchange-grant.ts'
import { TokenLimits } from './token-limits.ts'

/** Where authorization servers are mounted; the issuer ends with it. */
export const oauthMountPath = '/oidc'

export interface AuthorizationServerDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly signingKeys: SigningKeys
  readonly masterKey: MasterKey
  /** The way to issuers whose tokens service principals exchange. */
  readonly dialer: DialerDependencies
  readonly throttle: SignInThrottle
  /** docs/design/0002-password-grant.md */
  readonly isPasswordGrantOffered: boolean
  /** Hears of failures inside the authorization server; the client reads `server_error`. */
  readonly onServerError: (error: unknown) => void
}

/** The workspace that an authorization server is for; people read its name. */
export interface ServedWorkspace {
  readonly id: WorkspaceId
  readonly name: string
}

/**
 * The authorization servers of a deployment, one per workspace: own issuer, signing keys, cookie keys and rows. A server is
 * built at its first request, and again when the workspace's signing key or name changes.
 */
export class AuthorizationServers {
  readonly #deps: AuthorizationServerDependencies
  readonly #module: OidcProviderModule
  readonly #limits = { token: new TokenLimits(), signIn: new SignInLimits() }
  readonly #issuerKeys: IssuerKeys
  readonly #built = new Map<WorkspaceId, { readonly version: string; readonly server: AuthorizationServer }>()

  constructor(module: OidcProviderModule, deps: AuthorizationServerDependencies) {
    this.#module = module
    this.#deps = deps
    this.#issuerKeys = new IssuerKeys(deps)
  }

  /** @param issuer `<origin>/oidc`, the same for every request of the workspace */
  for(workspace: ServedWorkspace, issuer: string): AuthorizationServer {
    const { kid } = this.#deps.signingKeys.current(workspace.id, 'access_token')
    const version = `${kid} ${issuer} ${workspace.name}`
    const known = this.#built.get(workspace.id)
    if (known?.version === version) return known.server
    const server = new AuthorizationServer(
      this.#module,
      { ...this.#deps, issuerKeys: this.#issuerKeys },
      this.#limits,
      workspace,
      issuer,
    )
    this.#built.set(workspace.id, { version, server })
    return server
  }
}

/** The authorization server of one workspace: an oidc-provider whose clients are service principals and those that come with Postern. */
export class AuthorizationServer {
  readonly issuer: string
  readonly #interactions: InteractionDependencies
  readonly #callers = new WeakMap<IncomingMessage, Caller>()
  readonly #answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>

  constructor(
    module: OidcProviderModule,
    deps: AuthorizationServerDependencies & { readonly issuerKeys: IssuerKeys },
    { token: limits, signIn: signInLimits }: { readonly token: TokenLimits; readonly signIn: SignInLimits },
    workspace: ServedWorkspace,
    issuer: string,
  ) {
    this.issuer = issuer
    const workspaceId = workspace.id
    const callerOf = (request: IncomingMessage) => this.#callers.get(request) ?? { peer: '', requestId: '' }
    const { store, clock, signingKeys } = deps
    const findClient = async (clientId: string) => {
      const ctx = contextOf(module)
      const finding = findServicePrincipalClient(deps, workspaceId, clientId)
      const client = await throwingOauthErrors(module.errors, ctx, finding)
      return client !== undefined && isTokenExchange(ctx) ? asTokenExchangeClient(client) : client
    }
    const usedAlready = () => {
      contextOf(module).state[reuseMark] = true
      return new module.errors.InvalidGrant()
    }
    const cookieKey = derivedKey(deps.masterKey, workspaceId, 'cookie signing')
    const provider = new module.Provider(
      issuer,
      providerConfiguration(module, {
        workspaceId,
        issuer,
        adapter: (model) =>
          model === 'Client'
            ? new ClientAdapter(findClient)
            : new PostgresAdapter(deps, workspaceId, model, usedAlready),
        findAccount: (id) =>
          throwingOauthErrors(module.errors, contextOf(module), findPrincipalAccount(deps, workspaceId, id)),
        renderError: renderOauthError,
        deviceFlow: deviceFlowPages(),
        cookieKeys: [cookieKey],
        signingJwk: signingKeys.current(workspaceId, 'access_token').privateJwk(),
        isPasswordGrantOffered: deps.isPasswordGrantOffered,
      }),
    )
    provider.proxy = true
    provider.on('grant.revoked', (ctx) => (ctx.state[reuseMark] = true))
    provider.on('server_error', (ctx, error) => {
      sayWhatIsAway(ctx, error)
      deps.onServerError(error)
    })
    // Koa prints what nobody hears. (Its own event is missing in the types of oidc-provider.)
    ;(provider as NodeJS.EventEmitter).on('error', deps.onServerError)
    if (deps.isPasswordGrantOffered) addPasswordGrant(module, provider, { ...deps, callerOf }, workspaceId)
    addTokenExchangeGrant(module, provider, { ...deps, callerOf }, workspaceId)
    compareSecretsByHash(module, provider, { store, clock, limits, callerOf })
    provider.use(aroundTokenEndpoint({ store, limits, callerOf, workspaceId }))
    provider.use(answerForAccessTokens(deps, issuer, workspaceId))
    provider.use(answerKeys(signingKeys, workspaceId))
    provider.use(signInLimits.around(callerOf))
    this.#interactions = {
      ...deps,
      provider,
      workspace,
      callerOf,
      formTokens: new FormTokens(derivedKey(deps.masterKey, workspaceId, 'form tokens')),
    }
    provider.use(askAlways)
    provider.use(aroundDevicePages(this.#interactions))
    provider.use(interactionPages(module, this.#interactions))
    provider.use(signOutPage(this.#interactions))
    this.#answer = provider.callback()
  }

  /** Answers a request below {@link oauthMountPath}; its body must not have been read. */
  async answer(request: IncomingMessage, response: ServerResponse, caller: Caller): Promise<void> {
    this.#callers.set(request, caller)
    const { protocol, host } = new URL(this.issuer)
    // The provider takes its own origin from these; whatever the client sent is replaced by the workspace's.
    request.headers['x-forwarded-proto'] = protocol.slice(0, -1)
    request.headers['x-forwarded-host'] = host
    const { url = '' } = request
    Object.assign(request, { originalUrl: url })
    request.url = url.slice(oauthMountPath.length)
    await this.#answer(request, response)
  }

  /**
   * Goes on with a sign-in once an identity provider has said who it is, at an address below {@link ssoMountPath}. The caller
   * has audited it.
   *
   * @param signIn `interaction` is what the link of the sign-in page carried
   * @returns where to send the browser (303)
   * @throws PosternError NOT_FOUND when the sign-in is over, or this is not the browser that saw the sign-in page
   */
  async finishSignIn(
    request: IncomingMessage,
    response: ServerResponse,
    principalId: PrincipalId,
    signIn: { readonly method: SignInMethod; readonly interaction: string },
  ): Promise<string> {
    const { provider } = this.#interactions
    const ctx = provider.createContext(request, response) as KoaContextWithOIDC
    const isSameBrowser = isMarkedBrowser(this.#interactions, ctx, signIn.interaction)
    const interaction = isSameBrowser ? await provider.Interaction.find(signIn.interaction) : undefined
    if (interaction?.prompt.name !== 'login') throw signInIsOver()
    return keepSignIn(this.#interactions, ctx, interaction, principalId, signIn.method)
  }
}

/** Stands in for the comparison of plain secrets: ours are stored as hashes, several per client. */
function compareSecretsByHash(
  module: OidcProviderModule,
  provider: Provider,
  deps: {
    readonly store: Store
    readonly clock: Clock
    readonly limits: TokenLimits
    readonly callerOf: (request: IncomingMessage) => Caller
  },
): void {
  provider.Client.prototype.compareClientSecret = async function (presented: string): Promise<boolean> {
    const ctx = contextOf(module)
    const { peer } = deps.callerOf(ctx.req)
    const compare = async () => {
      await deps.limits.beginSecret(peer, this.clientId)
      const checking = verifyClientSecret(deps, this.clientId, new Secret(presented))
      const match = await checking.catch(async (failure: unknown) => {
        await deps.limits.secretUnchecked(peer, this.clientId)
        throw failure
      })
      if (match === null) return false
      await deps.limits.secretMatched(peer, this.clientId)
      return true
    }
    return throwingOauthErrors(module.errors, ctx, compare())
  }
}

/** The request that oidc-provider is answering when it calls back. */
function contextOf(module: OidcProviderModule): KoaContextWithOIDC {
  return module.Provider.ctx as KoaContextWithOIDC
}

/** The JWKS: the keys of this workspace that a resource server should know now, the next one included. */
function answerKeys(signingKeys: SigningKeys, workspaceId: WorkspaceId) {
  return async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    if (ctx.path !== oauthPaths.keys || ctx.method !== 'GET') return next()
    // Shorter than the ten minutes for which a new key is published before it signs.
    ctx.set('Cache-Control', 'public, max-age=300')
    ctx.body = signingKeys.jwks(workspaceId, 'access_token')
  }
}

/** A key of one workspace for one purpose; made from the master key, so that every node has the same and none is stored. */
function derivedKey(masterKey: MasterKey, workspaceId: WorkspaceId, purpose: string): string {
  const material = Buffer.from(masterKey.export().reveal(), 'base64')
  return Buffer.from(hkdfSync('sha256', material, workspaceId, `postern ${purpose}`, 32)).toString('base64url')
}
