import type { KoaContextWithOIDC } from 'oidc-provider'
import { PosternError } from '../base/errors.ts'
import type { OidcProviderModule } from './load-provider.ts'
import { oauthError } from './oauth-error.ts'

/** Awaits work of ours inside oidc-provider; a PosternError leaves as an error that oidc-provider answers with its own status. */
export async function throwingOauthErrors<T>(
  errors: OidcProviderModule['errors'],
  ctx: Pick<KoaContextWithOIDC, 'set'>,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    if (!(thrown instanceof PosternError)) throw thrown
    const { status, body } = oauthError(thrown)
    const seconds = thrown.detail?.retryAfterSeconds
    if (typeof seconds === 'number') ctx.set('Retry-After', String(seconds))
    const error = new errors.CustomOIDCProviderError(body.error, body.error_description, { cause: thrown })
    throw Object.assign(error, { status, statusCode: status })
  }
}
