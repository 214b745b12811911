import { oauthPaths } from '../provider-configuration.ts'
import type { Middleware } from './interaction-dependencies.ts'
import { replaceQuery } from './replace-query.ts'

/**
 * Has every authorization request ask for consent. oidc-provider gives a refresh token only to requests that say so (OpenID
 * Connect Core section 11), and real clients do not say it; a page is shown to them in any case.
 */
export const askAlways: Middleware = async (ctx, next) => {
  if (ctx.path !== oauthPaths.authorization || ctx.method !== 'GET') return next()
  const { prompt } = ctx.query
  if (prompt === undefined) replaceQuery(ctx, { ...ctx.query, prompt: 'consent' })
  else if (prompt === 'login') replaceQuery(ctx, { ...ctx.query, prompt: 'login consent' })
  return next()
}
