import { PosternError } from '../../base/errors.ts'

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Whether the URL names this machine, the one place to which plain HTTP goes. */
export function isLoopbackUrl(url: URL): boolean {
  return LOOPBACK_HOSTS.has(url.hostname)
}

/**
 * Requires what OpenID Connect asks of an issuer: https, no query, no fragment, no user. What is returned is what was given: an
 * issuer is compared character by character, and a slash at its end counts.
 * @param field name of the field, for the message
 * @throws PosternError INVALID_ARGUMENT
 * @see OpenID Connect Discovery 1.0 section 3
 */
export function requireIssuerUrl(text: string, field: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new PosternError('INVALID_ARGUMENT', `${field}: must be an https URL`)
  }
  if (url.protocol === 'http:' && !isLoopbackUrl(url)) {
    throw new PosternError('INVALID_ARGUMENT', `${field}: plain http is taken for this machine alone; use https`)
  }
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    throw new PosternError('INVALID_ARGUMENT', `${field}: must have no query, fragment or user`)
  }
  return text
}
