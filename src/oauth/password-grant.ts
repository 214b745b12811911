import { randomUUID } from 'node:crypto'
import type Provider from 'oidc-provider'
import type { WorkspaceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { SignInThrottle } from '../identity/sign-in-throttle.ts'
import { signInWithPassword } from '../identity/sign-in-with-password.ts'
import type { Store } from '../store/store.ts'
import type { CallerOf } from './caller.ts'
import type { OidcProviderModule } from './load-provider.ts'
import { accessTokenScope, requireScope, resourceOf, resourceServerOf } from './provider-configuration.ts'
import { throwingOauthErrors } from './throwing-oauth-errors.ts'

const passwordMaxChars = 1024

/**
 * Adds the first-party password grant: e-mail and password of a person become an access token, for the client `postern` (our
 * command line) alone. Why it exists and when it goes: docs/design/0002-password-grant.md.
 * @see RFC 6749 section 4.3
 */
export function addPasswordGrant(
  { errors }: OidcProviderModule,
  provider: Provider,
  deps: { readonly store: Store; readonly throttle: SignInThrottle; readonly callerOf: CallerOf },
  workspaceId: WorkspaceId,
): void {
  provider.registerGrantType<{ username?: string; password?: string }>(
    'password',
    async (ctx) => {
      const { username, password } = ctx.oidc.params
      if (!username || !password || password.length > passwordMaxChars) {
        throw new errors.InvalidRequest('username and password are required')
      }
      requireScope(errors, ctx)
      const { peer, requestId } = deps.callerOf(ctx.req)
      const attempt = { workspaceId, email: username, password: new Secret(password), peer, requestId }
      const signIn = await throwingOauthErrors(errors, ctx, signInWithPassword(deps, attempt))
      if (!signIn.ok) {
        throw Object.assign(new errors.InvalidGrant(), { error_description: 'E-mail or password is wrong' })
      }
      const token = new provider.AccessToken({
        accountId: signIn.principalId,
        client: ctx.oidc.client,
        resourceServer: new provider.ResourceServer(resourceOf(workspaceId), resourceServerOf(workspaceId)),
        scope: accessTokenScope,
        gty: 'password',
        grantId: randomUUID(),
      })
      ctx.body = {
        access_token: await token.save(),
        token_type: token.tokenType,
        expires_in: token.expiration,
        scope: accessTokenScope,
      }
    },
    ['username', 'password', 'scope'],
  )
}
