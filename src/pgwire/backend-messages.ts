import { MAX_CANCEL_KEY_LENGTH, MIN_CANCEL_KEY_LENGTH, PROTOCOL_MAJOR } from './codes.ts'
import { cstring, FieldReader, int32, message } from './message-fields.ts'

/**
 * Messages that a server sends, but for authentication requests and errors, which have files of their own.
 * Every reader takes the body of one message (no type, no length) and gives undefined when it is malformed.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

export interface ParameterStatus {
  readonly name: string
  readonly value: string
}

/** Reports a setting that a client wants to know, such as `server_version`. */
export function writeParameterStatus(name: string, value: string): Uint8Array {
  return message('S', cstring(name), cstring(value))
}

/** Reads ParameterStatus (`S`). */
export function readParameterStatus(body: Uint8Array): ParameterStatus | undefined {
  const fields = new FieldReader(body)
  const name = fields.cstring()
  const value = fields.cstring()
  return name === undefined || value === undefined ? undefined : { name, value }
}

/** What a client needs to cancel: the process id of its backend and a secret key. */
export interface BackendKeyData {
  readonly pid: number
  readonly key: Uint8Array
}

/**
 * Tells the client how to cancel.
 * @param key exactly 4 bytes in protocol 3.0, 4 to 256 in 3.2
 */
export function writeBackendKeyData({ pid, key }: BackendKeyData): Uint8Array {
  if (!isCancelKey(key)) throw new RangeError(`a cancel key has 4 to 256 bytes, not ${key.length}`)
  return message('K', int32(pid), key)
}

/** Reads BackendKeyData (`K`). */
export function readBackendKeyData(body: Uint8Array): BackendKeyData | undefined {
  const fields = new FieldReader(body)
  const pid = fields.int32()
  if (pid === undefined) return undefined
  const key = new Uint8Array(fields.rest())
  return isCancelKey(key) ? { pid, key } : undefined
}

/** Idle, in a transaction, in a failed transaction. */
export type TransactionStatus = 'I' | 'T' | 'E'

/** Ends the login, and every answer: the client may send its next request. */
export function writeReadyForQuery(status: TransactionStatus): Uint8Array {
  return message('Z', Uint8Array.of(status.charCodeAt(0)))
}

/** Reads ReadyForQuery (`Z`). */
export function readReadyForQuery(body: Uint8Array): TransactionStatus | undefined {
  const status = body.length === 1 ? String.fromCharCode(body[0] ?? 0) : ''
  return status === 'I' || status === 'T' || status === 'E' ? status : undefined
}

/** What a server grants of a newer protocol version and of protocol options. */
export interface NegotiateProtocolVersion {
  /** Newest minor version of protocol 3 that the server speaks. */
  readonly newestMinor: number
  /** `_pq_.` options that the server does not know. */
  readonly unrecognized: readonly string[]
}

/** Goes out once, before the authentication request, when the client asked for a newer minor version or any `_pq_.` option. */
export function writeNegotiateProtocolVersion({ newestMinor, unrecognized }: NegotiateProtocolVersion): Uint8Array {
  return message(
    'v',
    int32((PROTOCOL_MAJOR << 16) | newestMinor),
    int32(unrecognized.length),
    ...unrecognized.map(cstring),
  )
}

/** Reads NegotiateProtocolVersion (`v`). */
export function readNegotiateProtocolVersion(body: Uint8Array): NegotiateProtocolVersion | undefined {
  const fields = new FieldReader(body)
  const version = fields.int32()
  const count = fields.int32()
  if (version === undefined || count === undefined || count < 0) return undefined
  const unrecognized: string[] = []
  for (let i = 0; i < count; i++) {
    const name = fields.cstring()
    if (name === undefined) return undefined
    unrecognized.push(name)
  }
  return { newestMinor: version & 0xffff, unrecognized }
}

/** Column values of a DataRow in text format; null is SQL NULL. */
export function readDataRow(body: Uint8Array): (string | null)[] | undefined {
  const fields = new FieldReader(body)
  const count = fields.int16()
  if (count === undefined || count < 0) return undefined
  const columns: (string | null)[] = []
  for (let i = 0; i < count; i++) {
    const length = fields.int32()
    if (length === undefined) return undefined
    const value = length === -1 ? null : fields.text(length)
    if (value === undefined) return undefined
    columns.push(value)
  }
  return columns
}

/** The command tag, such as `SELECT 1`. */
export function readCommandComplete(body: Uint8Array): string | undefined {
  return new FieldReader(body).cstring()
}

function isCancelKey(key: Uint8Array): boolean {
  return key.length >= MIN_CANCEL_KEY_LENGTH && key.length <= MAX_CANCEL_KEY_LENGTH
}
