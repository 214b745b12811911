import { type KeyObject, verify } from 'node:crypto'

/** What an assertion of a service account must say. */
export interface ExpectedAssertion {
  readonly publicKey: KeyObject
  readonly keyId: string
  readonly email: string
  readonly scope: string
  readonly audience: string
}

/** Whether Google would take the assertion (RFC 7523; developers.google.com/identity/protocols/oauth2/service-account). */
export function isGoodAssertion(jwt: string, expected: ExpectedAssertion): boolean {
  const [header = '', payload = '', signature = '', ...more] = jwt.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  const { alg, kid } = read(header)
  const { iss, scope, aud, iat, exp, ...others } = read(payload)
  const now = Date.now() / 1000
  return (
    more.length === 0 &&
    alg === 'RS256' &&
    kid === expected.keyId &&
    verify('sha256', Buffer.from(`${header}.${payload}`), expected.publicKey, Buffer.from(signature, 'base64url')) &&
    iss === expected.email &&
    scope === expected.scope &&
    aud === expected.audience &&
    Math.abs(Number(iat) - now) < 300 &&
    Number(exp) > now &&
    Number(exp) - Number(iat) <= 3600 &&
    Object.keys(others).length === 0
  )
}
