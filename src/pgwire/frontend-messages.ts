import { CANCEL_REQUEST_CODE, PROTOCOL_MAJOR, SSL_REQUEST_CODE } from './codes.ts'
import { cstring, decodeUtf8, int32, message } from './message-fields.ts'

/**
 * Messages that a client sends: written towards a database, PasswordMessage also read from our clients.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

export function writeSslRequest(): Uint8Array {
  return message(undefined, int32(SSL_REQUEST_CODE))
}

/** @param key the secret of BackendKeyData, 4 to 256 bytes */
export function writeCancelRequest(pid: number, key: Uint8Array): Uint8Array {
  return message(undefined, int32(CANCEL_REQUEST_CODE), int32(pid), key)
}

/**
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

export function writePasswordMessage(password: string): Uint8Array {
  return message('p', cstring(password))
}

/**
 * @param body body of a PasswordMessage
 * @returns undefined when it is not one string ended by the only NUL, or is not UTF-8
 */
export function readPasswordMessage(body: Uint8Array): string | undefined {
  return body.length > 0 && body.indexOf(0) === body.length - 1 ? decodeUtf8(body.subarray(0, -1)) : undefined
}

/** @param response the mechanism's first message, or undefined where it has none */
export function writeSaslInitialResponse(mechanism: string, response: Uint8Array | undefined): Uint8Array {
  return message('p', cstring(mechanism), int32(response?.length ?? -1), response ?? new Uint8Array())
}

export function writeSaslResponse(response: Uint8Array): Uint8Array {
  return message('p', response)
}

export function writeQuery(sql: string): Uint8Array {
  return message('Q', cstring(sql))
}

export function writeTerminate(): Uint8Array {
  return message('X')
}
