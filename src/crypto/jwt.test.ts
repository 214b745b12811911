import { createHmac, createPrivateKey, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { calculateJwkThumbprint, importJWK, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { Secret } from '../base/secret.ts'
import { signJwt, SigningKeyPair, verifyJwt, type JwtClaims } from './jwt.ts'

const TYP = 'postern-db+jwt'
const now = new Date('2026-11-23T12:00:00Z')
const nowSeconds = now.getTime() / 1000
const key = SigningKeyPair.generate()
const otherKey = SigningKeyPair.generate()
const claims: JwtClaims = {
  iss: 'urn:postern:workspace:100000000000001',
  sub: '100000000000002',
  aud: ['urn:postern:instance:0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d'],
  iat: nowSeconds,
  exp: nowSeconds + 3600,
  jti: '6a1f',
}

const verify = (token: string, at = now, typ = TYP) =>
  verifyJwt(token, typ, (kid) => (kid === key.kid ? key.publicKey : undefined), at)
const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token with any header and payload, validly signed by `signer`: what only a broken issuer or an attacker makes. */
function forge(header: unknown, payload: unknown, signer: SigningKeyPair = key): string {
  const input = `${part(header)}.${part(payload)}`
  const signature = signBytes('sha256', Buffer.from(input), {
    key: signer.toSecret().reveal(),
    dsaEncoding: 'ieee-p1363',
  })
  return `${input}.${signature.toString('base64url')}`
}

const header = { alg: 'ES256', typ: TYP, kid: key.kid }

describe('verifyJwt', () => {
  test('accepts what signJwt made, and the library agrees', async () => {
    const token = signJwt(key, TYP, claims)
    expect(verify(token)).toEqual({ ok: true, claims })
    const { payload, protectedHeader } = await jwtVerify(token, await importJWK(key.publicJwk, 'ES256'), {
      currentDate: now,
    })
    expect(payload).toEqual(claims)
    expect(protectedHeader).toEqual(header)
    expect(token.length).toBeLessThan(1024)
  })

  test('accepts what another implementation signed by the standard', async () => {
    expect(verify(forge(header, claims))).toEqual({ ok: true, claims })
    const token = new SignJWT({ ...(claims as JWTPayload) }).setProtectedHeader(header)
    expect(verify(await token.sign(createPrivateKey(key.toSecret().reveal())))).toEqual({ ok: true, claims })
  })

  test('refuses signatures that are none: zeros, the order of the curve, DER, parts of another length', () => {
    const [head, body, signature] = signJwt(key, TYP, claims).split('.') as [string, string, string]
    const input = `${head}.${body}`
    const good = Buffer.from(signature, 'base64url')
    // n of P-256 (SEC 2 section 2.4.2)
    const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
    const [r, s] = [good.subarray(0, 32), good.subarray(32)]
    const others = [
      Buffer.alloc(64),
      Buffer.concat([r, Buffer.alloc(32)]),
      Buffer.concat([Buffer.alloc(32), s]),
      Buffer.concat([order, s]),
      Buffer.concat([r, order]),
      Buffer.concat([order, order]),
      Buffer.concat([s, r]),
      good.subarray(0, 63),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), r, Buffer.alloc(1), s]),
      signBytes('sha256', Buffer.from(input), key.toSecret().reveal()),
    ]
    for (const other of others)
      expect(verify(`${input}.${other.toString('base64url')}`)).toEqual({ ok: false, reason: 'bad-signature' })
  })

  test('refuses alg none, with and without a signature', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      expect(verify(`${part({ ...header, alg })}.${part(claims)}.`)).toEqual({
        ok: false,
        reason: 'bad-signature',
      })
      expect(verify(forge({ ...header, alg }, claims))).toEqual({ ok: false, reason: 'bad-signature' })
    }
  })

  test('refuses HS256 keyed with our public key in any of its forms', async () => {
    const input = `${part({ ...header, alg: 'HS256' })}.${part(claims)}`
    const forms = [
      key.publicKey.export({ type: 'spki', format: 'pem' }),
      key.publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(key.publicJwk),
    ]
    for (const form of forms) {
      const signature = createHmac('sha256', form).update(input).digest('base64url')
      expect(verify(`${input}.${signature}`)).toEqual({ ok: false, reason: 'bad-signature' })
    }
  })

  test.each(['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'x5t'])(
    'refuses a header that brings %s, even validly signed',
    async (member) => {
      const value = member === 'jwk' ? otherKey.publicJwk : member === 'crit' ? ['exp'] : 'https://evil.test/keys'
      expect(verify(forge({ ...header, [member]: value }, claims))).toEqual({
        ok: false,
        reason: 'bad-signature',
      })
    },
  )

  test('refuses a key that the token brings itself', async () => {
    const token = forge({ ...header, kid: otherKey.kid, jwk: otherKey.publicJwk }, claims, otherKey)
    expect(verify(token)).toEqual({ ok: false, reason: 'bad-signature' })
  })

  test.each([
    [otherKey.kid],
    ['../../etc/passwd'],
    ["' or 1=1 --"],
    ['__proto__'],
    ['constructor'],
    [''],
    [null],
    [[key.kid]],
    [{ toString: key.kid }],
    [undefined],
  ])('refuses the key id %j', async (kid) => {
    expect(verify(forge({ ...header, kid }, claims, otherKey))).toEqual({ ok: false, reason: 'unknown-key' })
  })

  test('refuses a signature by another key under our key id', async () => {
    expect(verify(forge(header, claims, otherKey))).toEqual({ ok: false, reason: 'bad-signature' })
  })

  test.each(['at+jwt', 'JWT', 'application/postern-db+jwt', 'POSTERN-DB+JWT', ['postern-db+jwt'], undefined])(
    'refuses the type %j where a database credential is asked for',
    async (typ) => {
      expect(verify(forge({ ...header, typ }, claims))).toEqual({ ok: false, reason: 'wrong-type' })
    },
  )

  test('refuses a database credential where an access token is asked for', async () => {
    expect(verify(signJwt(key, TYP, claims), now, 'at+jwt')).toEqual({ ok: false, reason: 'wrong-type' })
  })

  test('refuses a payload, header or signature that was changed', async () => {
    const [head, body, signature] = signJwt(key, TYP, claims).split('.') as [string, string, string]
    const changed = part({ ...claims, sub: '100000000000003' })
    expect(verify(`${head}.${changed}.${signature}`)).toEqual({ ok: false, reason: 'bad-signature' })
    expect(verify(`${part({ typ: TYP, kid: key.kid, alg: 'ES256' })}.${body}.${signature}`)).toEqual({
      ok: false,
      reason: 'bad-signature',
    })
    for (let index = 0; index < signature.length - 1; index++) {
      const other = signature[index] === 'A' ? 'B' : 'A'
      const tampered = signature.slice(0, index) + other + signature.slice(index + 1)
      expect(verify(`${head}.${body}.${tampered}`)).toEqual({ ok: false, reason: 'bad-signature' })
    }
    expect(verify(`${head}.${body}.`)).toEqual({ ok: false, reason: 'bad-signature' })
    expect(verify(`${head}.${body}.${'A'.repeat(86)}`)).toEqual({ ok: false, reason: 'bad-signature' })
  })

  test('tells an expired token that we signed from one that we did not', async () => {
    const token = signJwt(key, TYP, claims)
    const at = (seconds: number) => new Date((claims.exp + seconds) * 1000)
    expect(verify(token, at(-1))).toMatchObject({ ok: true })
    expect(verify(token, at(0))).toEqual({ ok: false, reason: 'expired', claims })
    expect(verify(token, at(86_400))).toEqual({ ok: false, reason: 'expired', claims })
    expect(verify(forge(header, claims, otherKey), at(1))).toEqual({ ok: false, reason: 'bad-signature' })
  })

  test('allows 30 seconds between clocks for iat and nbf, and none for exp', async () => {
    const issued = (iat: number) => forge(header, { ...claims, iat })
    expect(verify(issued(nowSeconds + 30))).toMatchObject({ ok: true })
    expect(verify(issued(nowSeconds + 31))).toEqual({ ok: false, reason: 'not-yet-valid' })
    expect(verify(forge(header, { ...claims, nbf: nowSeconds + 30 }))).toMatchObject({ ok: true })
    expect(verify(forge(header, { ...claims, nbf: nowSeconds + 31 }))).toEqual({
      ok: false,
      reason: 'not-yet-valid',
    })
    expect(verify(forge(header, { ...claims, exp: nowSeconds }))).toMatchObject({ ok: false, reason: 'expired' })
  })

  test.each<[string, unknown]>([
    ['no exp', { ...claims, exp: undefined }],
    ['exp as text', { ...claims, exp: String(claims.exp) }],
    ['no iat', { ...claims, iat: undefined }],
    ['no sub', { ...claims, sub: undefined }],
    ['sub as number', { ...claims, sub: 100 }],
    ['no iss', { ...claims, iss: undefined }],
    ['no aud', { ...claims, aud: undefined }],
    ['an empty aud', { ...claims, aud: [] }],
    ['a mixed aud', { ...claims, aud: ['a', 1] }],
    ['nbf as text', { ...claims, nbf: '0' }],
    ['jti as number', { ...claims, jti: 1 }],
    ['a list', [claims]],
    ['null', null],
    ['text that is not JSON', 'nonsense'],
    ['an exp beyond numbers', JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')],
  ])('refuses a payload with %s', async (_, payload) => {
    expect(verify(forge(header, payload))).toEqual({ ok: false, reason: 'malformed-claims' })
  })

  test.each([
    '',
    'hunter2',
    'a.b',
    'a.b.c',
    '..',
    'a.b.c.d',
    `${part('{')}.e30.AA`,
    `${part([])}.e30.AA`,
    `${part('null')}.e30.AA`,
    'é.é.é',
    ' a.b.c',
  ])('takes %j for a password, not for a token', async (text) => {
    expect(verify(text)).toEqual({ ok: false, reason: 'not-a-jwt' })
  })

  test('refuses a token beyond 8 KiB, validly signed or not, as a token', async () => {
    const large = forge(header, { ...claims, note: 'x'.repeat(8192) })
    expect(verify(large)).toEqual({ ok: false, reason: 'bad-signature' })
    expect(verify('x'.repeat(65_530))).toEqual({ ok: false, reason: 'not-a-jwt' })
  })
})

describe('SigningKeyPair', () => {
  test('is the same pair after being stored', () => {
    const again = SigningKeyPair.fromPrivate(key.toSecret())
    expect(again.kid).toBe(key.kid)
    expect(again.publicJwk).toEqual(key.publicJwk)
  })

  test('is named by the thumbprint of RFC 7638, and its public half holds nothing private', async () => {
    expect(key.kid).toBe(await calculateJwkThumbprint(key.publicJwk))
    expect(Object.keys(key.publicJwk).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  })

  test('prints no private part', () => {
    const d = key.privateJwk().d!
    expect(d).toHaveLength(43)
    expect(JSON.stringify(key) + inspect(key, { depth: 9, showHidden: true })).not.toContain(d)
    expect(String(key.toSecret())).toBe('[secret]')
  })

  test('refuses a stored key that is none, or on another curve', () => {
    expect(() => SigningKeyPair.fromPrivate(new Secret('nonsense'))).toThrow('damaged')
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
      format: 'pem',
      type: 'pkcs8',
    }) as string
    expect(() => SigningKeyPair.fromPrivate(new Secret(p384))).toThrow('P-256')
  })
})
