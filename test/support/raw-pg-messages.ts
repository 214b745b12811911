import type { BackendMessage, DatabaseError } from 'pg-protocol/dist/messages.js'
import { Parser } from 'pg-protocol/dist/parser.js'

/** One message of the server as it stood on the wire. */
export interface RawMessage {
  /** The type byte as a letter, such as `R`, `E`, `Z`. */
  readonly type: string
  /** What follows the length. */
  readonly body: Buffer
}

/** What the server said when it refused: the fields of an ErrorResponse that clients act on. */
export interface RawError {
  readonly severity: string
  readonly sqlstate: string
  readonly message: string
  readonly detail: string | undefined
  readonly hint: string | undefined
}

/** Key that a CancelRequest names: 4 bytes in protocol 3.0, up to 256 in 3.2. */
export interface BackendKey {
  readonly processId: number
  readonly secret: Buffer
}

export const protocol30 = 3 << 16
export const protocol32 = (3 << 16) | 2

/** Request codes of the protocol: a major version of 1234 that no protocol will ever have. */
const requestCodes = { cancel: (1234 << 16) | 5678, tls: (1234 << 16) | 5679, gssenc: (1234 << 16) | 5680 }

/** SSLRequest: may TLS begin? */
export const sslRequest = untyped(int32(requestCodes.tls))

/** GSSENCRequest: may GSSAPI encryption begin? */
export const gssencRequest = untyped(int32(requestCodes.gssenc))

/** StartupMessage: version, then name and value of each parameter, each ended by a zero byte. */
export function startupMessage(parameters: Readonly<Record<string, string>>, version = protocol30): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) => Buffer.from(`${name}\0${value}\0`))
  return untyped(int32(version), ...pairs, Buffer.alloc(1))
}

/** CancelRequest for the session that was given this key. */
export function cancelRequest(key: BackendKey): Buffer {
  return untyped(int32(requestCodes.cancel), int32(key.processId), key.secret)
}

/** A message of any type and body, with a right length. */
export function message(type: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(body.length + 4), body])
}

/** Fields of an ErrorResponse; fails on any other message. */
export function errorOf(raw: RawMessage): RawError {
  if (raw.type !== 'E') throw new Error(`expected an ErrorResponse, got ${raw.type}: ${raw.body.toString('latin1')}`)
  const error = parse(raw) as DatabaseError
  const { severity = '', code: sqlstate = '', message: text, detail, hint } = error
  return { severity, sqlstate, message: text, detail, hint }
}

/** Values of a DataRow as text. */
export function rowOf(raw: RawMessage): (string | null)[] {
  return (parse(raw) as BackendMessage & { fields: (string | null)[] }).fields
}

/** The BackendKeyData among the messages. */
export function backendKeyOf(messages: readonly RawMessage[]): BackendKey {
  const body = messages.find((raw) => raw.type === 'K')?.body
  if (body === undefined) throw new Error('the server sent no BackendKeyData')
  return { processId: body.readInt32BE(0), secret: body.subarray(4) }
}

/** The message as pg-protocol reads it. */
function parse(raw: RawMessage): BackendMessage {
  const parsed: BackendMessage[] = []
  new Parser().parse(message(raw.type, raw.body), (one) => parsed.push(one))
  const [only] = parsed
  if (only === undefined) throw new Error(`pg-protocol reads no message of type ${raw.type}`)
  return only
}

function untyped(...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([int32(body.length + 4), body])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
