import {
  CANCEL_REQUEST_CODE,
  GSS_ENCRYPTION_REQUEST_CODE,
  MAX_CANCEL_KEY_LENGTH,
  MAX_STARTUP_PACKET_LENGTH,
  MIN_CANCEL_KEY_LENGTH,
  PROTOCOL_MAJOR,
  PROTOCOL_OPTION_PREFIX,
  SSL_REQUEST_CODE,
} from './codes.ts'
import { decodeUtf8 } from './message-fields.ts'

/** A client's wish to open a session. */
export interface StartupMessage {
  readonly kind: 'startup'
  readonly major: number
  /** As asked for; may be newer than anything that exists. */
  readonly minor: number
  readonly user: string
  /** The user's name where the client named no database. */
  readonly database: string
  /** All parameters but the protocol options, `user` and `database` as sent included. Of a name given twice the last value counts, as in Postgres. */
  readonly parameters: ReadonlyMap<string, string>
  /** Names that begin with `_pq_.`: for NegotiateProtocolVersion, never to be forwarded. */
  readonly protocolOptions: readonly string[]
}

export interface CancelRequest {
  readonly kind: 'cancel'
  readonly pid: number
  /** 4 to 256 bytes, a copy. */
  readonly key: Uint8Array
}

/** Why a first packet cannot be read. */
export type MalformedStartup =
  'packet-length' | 'request-length' | 'cancel-key-length' | 'terminator' | 'encoding' | 'user-missing'

export type FirstPacket =
  | { readonly kind: 'ssl-request' }
  | { readonly kind: 'gss-request' }
  | CancelRequest
  | StartupMessage
  /** A major version other than 3, whose layout is unknown. */
  | { readonly kind: 'unsupported-version'; readonly major: number; readonly minor: number }
  | { readonly kind: 'malformed'; readonly reason: MalformedStartup }

const REQUEST_LENGTH = 8

/**
 * Length of the first packet, its own length field included, from the first bytes that came.
 * @returns undefined while fewer than 4 bytes are there; `malformed` when no first packet may be so short or so long:
 *   nothing is ever allocated for a length that was not checked here
 */
export function readPacketLength(bytes: Uint8Array): number | 'malformed' | undefined {
  if (bytes.length < 4) return undefined
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0)
  return length < REQUEST_LENGTH || length > MAX_STARTUP_PACKET_LENGTH ? 'malformed' : length
}

/**
 * Reads what a client sends first, and again after TLS: SSLRequest, GSSENCRequest, CancelRequest or StartupMessage.
 *
 * @param packet one complete packet with its length field, exactly as long as that says
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE
 *   and ProcessStartupPacket in src/backend/tcop/backend_startup.c
 */
export function parseFirstPacket(packet: Uint8Array): FirstPacket {
  if (readPacketLength(packet) !== packet.length) return malformed('packet-length')
  const code = new DataView(packet.buffer, packet.byteOffset, packet.length).getInt32(4)
  const body = packet.subarray(REQUEST_LENGTH)
  switch (code) {
    case SSL_REQUEST_CODE:
      return body.length === 0 ? { kind: 'ssl-request' } : malformed('request-length')
    case GSS_ENCRYPTION_REQUEST_CODE:
      return body.length === 0 ? { kind: 'gss-request' } : malformed('request-length')
    case CANCEL_REQUEST_CODE:
      return parseCancelRequest(body)
    default:
      return parseStartupMessage(code >>> 16, code & 0xffff, body)
  }
}

function parseCancelRequest(body: Uint8Array): FirstPacket {
  if (body.length < 4 + MIN_CANCEL_KEY_LENGTH || body.length > 4 + MAX_CANCEL_KEY_LENGTH) {
    return malformed('cancel-key-length')
  }
  const pid = new DataView(body.buffer, body.byteOffset, 4).getInt32(0)
  return { kind: 'cancel', pid, key: new Uint8Array(body.subarray(4)) }
}

function parseStartupMessage(major: number, minor: number, body: Uint8Array): FirstPacket {
  if (major !== PROTOCOL_MAJOR) return { kind: 'unsupported-version', major, minor }
  const text = decodeUtf8(body)
  if (text === undefined) return malformed('encoding')
  // name NUL value NUL … NUL: the last NUL is the terminator and the last byte, nothing may hide behind it.
  const strings = text.split('\0')
  if (strings.length % 2 !== 0 || strings.pop() !== '' || strings.pop() !== '') return malformed('terminator')
  const parameters = new Map<string, string>()
  const protocolOptions = new Set<string>()
  for (let i = 0; i < strings.length; i += 2) {
    const name = strings[i]
    const value = strings[i + 1]
    if (!name || value === undefined) return malformed('terminator')
    if (name.startsWith(PROTOCOL_OPTION_PREFIX)) {
      protocolOptions.add(name)
    } else {
      // Deleted first, so that the order is the one in which Postgres would apply them.
      parameters.delete(name)
      parameters.set(name, value)
    }
  }
  const user = parameters.get('user')
  if (!user) return malformed('user-missing')
  const database = parameters.get('database') || user
  return { kind: 'startup', major, minor, user, database, parameters, protocolOptions: [...protocolOptions] }
}

function malformed(reason: MalformedStartup): FirstPacket {
  return { kind: 'malformed', reason }
}
