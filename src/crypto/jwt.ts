import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { epochSeconds } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'

/** A P-256 public key, imported once and used for many verifications. */
export type VerificationKey = KeyObject

/** A P-256 key pair for ES256. */
export class SigningKeyPair {
  readonly #privateKey: KeyObject
  readonly publicKey: VerificationKey
  /** Public half with `kid`, `alg` and `use`, as a JWKS lists it. Holds nothing private. */
  readonly publicJwk: JsonWebKey
  /** RFC 7638 thumbprint (SHA-256, base64url) of the public key. */
  readonly kid: string

  private constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey
    this.publicKey = createPublicKey(privateKey)
    const { crv, kty, x, y } = this.publicKey.export({ format: 'jwk' })
    // RFC 7638 section 3.2: the required members of an EC key in this order, without white space.
    this.kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
    this.publicJwk = { kty, crv, x, y, kid: this.kid, alg: 'ES256', use: 'sig' }
  }

  static generate(): SigningKeyPair {
    return new SigningKeyPair(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  }

  /**
   * @param secret what {@link SigningKeyPair.toSecret} gave
   * @throws PosternError SECRET_UNREADABLE when it is not a P-256 private key
   */
  static fromPrivate(secret: Secret): SigningKeyPair {
    let privateKey: KeyObject
    try {
      privateKey = createPrivateKey(secret.reveal())
    } catch (cause) {
      throw new PosternError('SECRET_UNREADABLE', 'A signing key is damaged', { cause })
    }
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new PosternError('SECRET_UNREADABLE', 'A signing key is not on the curve P-256')
    }
    return new SigningKeyPair(privateKey)
  }

  /** PKCS #8 PEM of the private key. */
  toSecret(): Secret {
    return new Secret(this.#privateKey.export({ format: 'pem', type: 'pkcs8' }) as string)
  }

  /** Private JWK with `kid`, `alg` and `use`, for a library that signs by itself (the authorization server). */
  privateJwk(): JsonWebKey {
    return { ...this.#privateKey.export({ format: 'jwk' }), kid: this.kid, alg: 'ES256', use: 'sig' }
  }

  /** ES256 (RFC 7518 section 3.4). For {@link signJwt} alone. */
  sign(input: string): string {
    const signature = sign('sha256', Buffer.from(input), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' })
    return signature.toString('base64url')
  }
}

/** Claims of a token whose shape was checked. Times are NumericDate (RFC 7519 section 2). */
export interface JwtClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly iat: number
  readonly exp: number
  readonly nbf?: number
  readonly jti?: string
  readonly [name: string]: unknown
}

/**
 * Signs a compact JWS with ES256.
 * @param typ media type of the token without `application/`, e.g. `postern-db+jwt`; the verifier demands exactly this
 */
export function signJwt(key: SigningKeyPair, typ: string, claims: JwtClaims): string {
  const input = `${jsonPart({ alg: 'ES256', typ, kid: key.kid })}.${jsonPart(claims)}`
  return `${input}.${key.sign(input)}`
}

function jsonPart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Why a token is not accepted. `expired` alone was validly signed by us, so its bearer may be told (design section 5, invariant 7). */
export type JwtVerification =
  | { readonly ok: true; readonly claims: JwtClaims }
  | { readonly ok: false; readonly reason: 'expired'; readonly claims: JwtClaims }
  | { readonly ok: false; readonly reason: JwtRefusal }

export type JwtRefusal =
  'not-a-jwt' | 'unknown-key' | 'bad-signature' | 'wrong-type' | 'not-yet-valid' | 'malformed-claims'

/** Ours have less than 1 KiB. */
const TOKEN_MAX_CHARS = 8192
const ES256_SIGNATURE_LENGTH = 64
/** For `iat` and `nbf`: clocks of our own nodes may differ by so much. `exp` has no leeway. */
const LEEWAY_SECONDS = 30
/** What a header of ours says and nothing else: `jku`, `jwk`, `x5u`, `x5c` and `crit` let the sender choose how it is verified. */
const HEADER_MEMBERS: ReadonlySet<string> = new Set(['alg', 'typ', 'kid'])

/**
 * Verifies a compact JWS strictly: ES256 only, a key that we know, the exact type, times.
 * Issuer, subject and audience are for the caller to compare; here only their shape is checked.
 *
 * @param token  anything; what does not have the shape of a JWT is `not-a-jwt`, everything else was meant as one
 * @param typ    the only `typ` accepted, compared exactly
 * @param findKey  the public key for a `kid`, of the keys that may sign this type now
 */
export function verifyJwt(
  token: string,
  typ: string,
  findKey: (kid: string) => VerificationKey | undefined,
  now: Date,
): JwtVerification {
  const parts = splitToken(token)
  const header = parts && jsonObject(decoded(parts.header))
  if (parts === undefined || header === undefined) return refused('not-a-jwt')
  if (header.typ !== typ) return refused('wrong-type')
  if (token.length > TOKEN_MAX_CHARS || header.alg !== 'ES256') return refused('bad-signature')
  if (Object.keys(header).some((member) => !HEADER_MEMBERS.has(member))) return refused('bad-signature')
  const key = typeof header.kid === 'string' ? findKey(header.kid) : undefined
  if (key === undefined) return refused('unknown-key')
  if (!isSignedBy(key, parts.signedInput, decoded(parts.signature))) return refused('bad-signature')
  const claims = readClaims(decoded(parts.payload))
  if (claims === undefined) return refused('malformed-claims')
  const nowSeconds = epochSeconds(now)
  if (claims.iat > nowSeconds + LEEWAY_SECONDS || (claims.nbf ?? 0) > nowSeconds + LEEWAY_SECONDS)
    return refused('not-yet-valid')
  if (claims.exp <= nowSeconds) return { ok: false, reason: 'expired', claims }
  return { ok: true, claims }
}

function refused(reason: JwtRefusal): JwtVerification {
  return { ok: false, reason }
}

/** The parts of a compact JWS (RFC 7515 section 7.1), if the text has its shape: three of them in the letters of base64url. */
function splitToken(token: string) {
  const match = /^(([\w-]+)\.([\w-]+))\.([\w-]*)$/.exec(token)
  if (match === null) return undefined
  const [, signedInput = '', header = '', payload = '', signature = ''] = match
  return { signedInput, header, payload, signature }
}

function decoded(part: string): Buffer {
  return Buffer.from(part, 'base64url')
}

/** ES256: two numbers of 32 bytes (RFC 7518 section 3.4), never the DER of other protocols. */
function isSignedBy(key: VerificationKey, input: string, signature: Buffer): boolean {
  if (signature.length !== ES256_SIGNATURE_LENGTH) return false
  return verify('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }, signature)
}

function readClaims(payload: Buffer): JwtClaims | undefined {
  const claims = jsonObject(payload)
  if (claims === undefined) return undefined
  const { iss, sub, aud, iat, exp, nbf, jti } = claims
  const isAudience =
    typeof aud === 'string' || (Array.isArray(aud) && aud.length > 0 && aud.every((one) => typeof one === 'string'))
  const isWellFormed =
    typeof iss === 'string' &&
    typeof sub === 'string' &&
    isAudience &&
    Number.isFinite(iat) &&
    Number.isFinite(exp) &&
    (nbf === undefined || Number.isFinite(nbf)) &&
    (jti === undefined || typeof jti === 'string')
  return isWellFormed ? (claims as unknown as JwtClaims) : undefined
}

function jsonObject(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined // not JSON
  }
}
