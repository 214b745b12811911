import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'

/**
 * The connection string as pg takes it: a host that is not this machine is verified in full (`sslmode=verify-full`) unless
 * the URL names another mode.
 * @throws PosternError CONFIG_INVALID
 */
export function secureStoreUrl(url: Secret): string {
  let parsed: URL
  try {
    parsed = new URL(url.reveal())
  } catch {
    // The parser's error quotes its input, password included.
    throw invalid('is not a URL')
  }
  if (parsed.protocol !== 'postgresql:' && parsed.protocol !== 'postgres:')
    throw invalid('must begin with postgresql://')
  const host = parsed.searchParams.get('host') ?? parsed.hostname
  const names = parsed.searchParams
  // Always said: the driver would otherwise take PGSSLMODE, which an operator set for psql.
  if (!names.has('sslmode') && !names.has('ssl')) names.set('sslmode', isLocal(host) ? 'disable' : 'verify-full')
  return parsed.toString()
}

function isLocal(host: string): boolean {
  return host === '' || host.startsWith('/') || host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host)
}

function invalid(what: string): PosternError {
  return new PosternError('CONFIG_INVALID', `The URL of the metadata store ${what}.`, {
    hint: 'Write it as postgresql://user:password@host:5432/database.',
  })
}
