import type { IncomingMessage } from 'node:http'
import { PosternError } from '../base/errors.ts'
import type { HttpApp } from './route.ts'

/**
 * Refuses a request that names two hosts: the workspace would be that of the one, and whoever stands in front may have
 * decided by the other.
 * @see RFC 9112 sections 3.2 and 3.2.2
 */
export function requireOneHost(app: HttpApp): void {
  app.addHook('onRequest', async ({ raw, originalUrl }) => {
    const names = raw.rawHeaders.filter((_, position) => position % 2 === 0)
    if (names.filter((name) => name.toLowerCase() === 'host').length > 1) {
      throw new PosternError('MALFORMED_REQUEST', 'The request has more than one Host header')
    }
    const target = absoluteForm(originalUrl)
    if (target !== undefined && target.host !== raw.headers.host?.toLowerCase()) {
      throw new PosternError('MALFORMED_REQUEST', 'The Host header is not the host of the request target')
    }
  })
}

/** The path of a request target; of `http://host/path` too, which servers must take as they take `/path`. For fastify's `rewriteUrl`. */
export function originForm({ url = '/' }: Pick<IncomingMessage, 'url'>): string {
  const target = absoluteForm(url)
  return target === undefined ? url : target.path
}

function absoluteForm(url: string): { readonly host: string; readonly path: string } | undefined {
  const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)([^#]*)/i.exec(url)
  if (match === null) return undefined
  const [, host = '', path = ''] = match
  return { host: host.toLowerCase(), path: path.startsWith('/') ? path : `/${path}` }
}
