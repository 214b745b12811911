import { cstring, FieldReader, int32, message } from './message-fields.ts'

/**
 * What a server asks for during login (message type `R`).
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-AUTHENTICATIONOK
 */
export type AuthenticationRequest =
  | { readonly kind: 'ok' }
  | { readonly kind: 'cleartext-password' }
  | { readonly kind: 'md5-password'; readonly salt: Uint8Array }
  | { readonly kind: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'sasl-continue'; readonly data: Uint8Array }
  | { readonly kind: 'sasl-final'; readonly data: Uint8Array }
  /** Kerberos, GSSAPI, SSPI or something newer, by its number. */
  | { readonly kind: 'other'; readonly method: number }

const METHOD = { ok: 0, cleartextPassword: 3, md5Password: 5, sasl: 10, saslContinue: 11, saslFinal: 12 } as const

/**
 * Reads the body of an authentication request.
 * @returns undefined when it is malformed
 */
export function readAuthenticationRequest(body: Uint8Array): AuthenticationRequest | undefined {
  const fields = new FieldReader(body)
  const method = fields.int32()
  switch (method) {
    case undefined:
      return undefined
    case METHOD.ok:
      return { kind: 'ok' }
    case METHOD.cleartextPassword:
      return { kind: 'cleartext-password' }
    case METHOD.md5Password: {
      const salt = fields.bytes(4)
      return salt && { kind: 'md5-password', salt: new Uint8Array(salt) }
    }
    case METHOD.sasl:
      return readMechanisms(fields)
    case METHOD.saslContinue:
      return { kind: 'sasl-continue', data: new Uint8Array(fields.rest()) }
    case METHOD.saslFinal:
      return { kind: 'sasl-final', data: new Uint8Array(fields.rest()) }
    default:
      return { kind: 'other', method }
  }
}

/** The login succeeded. */
export function writeAuthenticationOk(): Uint8Array {
  return message('R', int32(METHOD.ok))
}

/** Asks for the password itself: only ever above TLS. */
export function writeAuthenticationCleartextPassword(): Uint8Array {
  return message('R', int32(METHOD.cleartextPassword))
}

/**
 * Offers SASL mechanisms.
 * @param mechanisms names in the order of preference
 */
export function writeAuthenticationSasl(mechanisms: readonly string[]): Uint8Array {
  return message('R', int32(METHOD.sasl), ...mechanisms.map(cstring), Uint8Array.of(0))
}

/** The next challenge of a SASL exchange. */
export function writeAuthenticationSaslContinue(data: Uint8Array): Uint8Array {
  return message('R', int32(METHOD.saslContinue), data)
}

/** The last word of a SASL exchange; AuthenticationOk follows. */
export function writeAuthenticationSaslFinal(data: Uint8Array): Uint8Array {
  return message('R', int32(METHOD.saslFinal), data)
}

function readMechanisms(fields: FieldReader): AuthenticationRequest | undefined {
  const mechanisms: string[] = []
  for (;;) {
    const name = fields.cstring()
    if (name === undefined) return undefined
    if (name === '') return { kind: 'sasl', mechanisms }
    mechanisms.push(name)
  }
}
