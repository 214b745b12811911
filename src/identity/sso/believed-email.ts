import type { SsoProvider } from './sso-providers.ts'

/**
 * The e-mail address of an ID token, where it may stand for a user: the issuer calls it verified, or the provider names its domain.
 * Some issuers let people write any address into their own profile; by such a one nobody becomes somebody else.
 */
export function believedEmail(
  { emailClaim, emailDomains }: Pick<SsoProvider, 'emailClaim' | 'emailDomains'>,
  claims: Readonly<Record<string, unknown>>,
): string | undefined {
  const email = claims[emailClaim]
  if (typeof email !== 'string' || email.length > 254) return undefined
  const domain = /^[^\s@]+@([^\s@]+)$/.exec(email)?.[1]?.toLowerCase()
  if (domain === undefined) return undefined
  const verified = claims['email_verified']
  if (verified === false || verified === 'false') return undefined
  if (emailDomains.length > 0) return emailDomains.includes(domain) ? email : undefined
  // `email_verified` speaks of `email`: people write what they like into other claims.
  if (claims['email'] !== email) return undefined
  return verified === true || verified === 'true' ? email : undefined
}
