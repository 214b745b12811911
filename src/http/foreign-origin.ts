import { PosternError } from '../base/errors.ts'
import type { HttpApp } from './route.ts'

/**
 * Refuses what a page of another site has its visitor's browser send: it could not read the answer, but it would use up what
 * the visitor's address may try. Browsers name the page's origin in every request that is not GET or HEAD; programs name none.
 * Runs before anything is counted.
 */
export function refuseForeignOrigins(app: HttpApp): void {
  app.addHook('onRequest', async ({ method, headers, host }) => {
    const { origin } = headers
    if (origin === undefined || method === 'GET' || method === 'HEAD' || hostOf(origin) === host.toLowerCase()) return
    throw new PosternError('PERMISSION_DENIED', 'The request comes from a page of another site', {
      hint: 'Call Postern from a program, or from a page that Postern itself serves.',
    })
  })
}

/** Without a default port, as browsers write it in the Host header too. The origin `null` has none. */
function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host
}
