import type { KoaContextWithOIDC } from 'oidc-provider'
import { PosternError } from '../base/errors.ts'
import { translateStoreError } from '../store/constraint-errors.ts'
import type { OidcProviderModule } from './load-provider.ts'
import { oauthError } from './oauth-error.ts'

/**
 * Awaits work of ours inside oidc-provider. A PosternError, or a store that is away, leaves as an error that oidc-provider
 * answers with the status of the error table.
 */
export async function throwingOauthErrors<T>(
  errors: OidcProviderModule['errors'],
  ctx: Pick<KoaContextWithOIDC, 'set'>,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    const ours = translateStoreError(thrown)
    if (!(ours instanceof PosternError)) throw thrown
    const { status, body } = oauthError(ours)
    const seconds = ours.detail?.retryAfterSeconds
    if (typeof seconds === 'number') ctx.set('Retry-After', String(seconds))
    const error = new errors.CustomOIDCProviderError(body.error, body.error_description, { cause: ours })
    throw Object.assign(error, { status, statusCode: status })
  }
}
