import type { KoaContextWithOIDC } from 'oidc-provider'
import { documentOf, type Page, pageHeaders } from '../pages/page.ts'

/** Answers with a page of ours, in place of whatever the provider would have answered. */
export function sendPage(ctx: Pick<KoaContextWithOIDC, 'status' | 'set' | 'body'>, status: number, page: Page): void {
  ctx.status = status
  ctx.set(pageHeaders(page))
  ctx.body = documentOf(page)
}
