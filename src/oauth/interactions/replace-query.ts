import type { KoaContextWithOIDC } from 'oidc-provider'

/** Puts another query into the request; oidc-provider tells where it is mounted by both addresses, so they stay in step. */
export function replaceQuery(ctx: KoaContextWithOIDC, query: KoaContextWithOIDC['query']): void {
  const request = ctx.req as KoaContextWithOIDC['req'] & { originalUrl?: string }
  const { originalUrl = '' } = request
  const mountPath = originalUrl.slice(0, Math.max(0, originalUrl.indexOf(ctx.url)))
  ctx.query = query
  request.originalUrl = mountPath + ctx.url
}
