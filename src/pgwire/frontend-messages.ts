import { CANCEL_REQUEST_CODE, PROTOCOL_MAJOR, SSL_REQUEST_CODE } from './codes.ts'
import { cstring, decodeUtf8, int32, message } from './message-fields.ts'

/**
 * Messages that a client sends: written towards a database, PasswordMessage also read from our clients.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

/** Asks for TLS; the answer is one byte, `S` or `N`. */
export function writeSslRequest(): Uint8Array {
  return message(undefined, int32(SSL_REQUEST_CODE))
}

/**
 * Asks for the running query of another session to be cancelled; sent alone, on a connection of its own, and not answered.
 * @param key the secret of BackendKeyData, 4 to 256 bytes
 */
export function writeCancelRequest(pid: number, key: Uint8Array): Uint8Array {
  return message(undefined, int32(CANCEL_REQUEST_CODE), int32(pid), key)
}

/**
 * Opens a session.
 * @param parameters `user` must be among them
 * @param minor minor version of protocol 3 to ask for
 */
export function writeStartupMessage(
  parameters: Iterable<readonly [name: string, value: string]>,
  minor = 0,
): Uint8Array {
  const fields = [int32((PROTOCOL_MAJOR << 16) | minor)]
  for (const [name, value] of parameters) {
    if (name === '') throw new RangeError('a startup parameter needs a name: an empty one ends the packet')
    fields.push(cstring(name), cstring(value))
  }
  return message(undefined, ...fields, Uint8Array.of(0))
}

/** Answers a request for a cleartext password. */
export function writePasswordMessage(password: string): Uint8Array {
  return message('p', cstring(password))
}

/**
 * Reads the password.
 * @param body body of a PasswordMessage
 * @returns undefined when it is not one string ended by the only NUL, or is not UTF-8
 */
export function readPasswordMessage(body: Uint8Array): string | undefined {
  return body.length > 0 && body.indexOf(0) === body.length - 1 ? decodeUtf8(body.subarray(0, -1)) : undefined
}

/**
 * Chooses a SASL mechanism and begins its exchange.
 * @param response the mechanism's first message, or undefined where it has none
 */
export function writeSaslInitialResponse(mechanism: string, response: Uint8Array | undefined): Uint8Array {
  return message('p', cstring(mechanism), int32(response?.length ?? -1), response ?? new Uint8Array())
}

/** Goes on with a SASL exchange. */
export function writeSaslResponse(response: Uint8Array): Uint8Array {
  return message('p', response)
}

/** Runs SQL, one statement or several, by the simple query protocol. */
export function writeQuery(sql: string): Uint8Array {
  return message('Q', cstring(sql))
}

/** Says goodbye: the server ends the session. */
export function writeTerminate(): Uint8Array {
  return message('X')
}
