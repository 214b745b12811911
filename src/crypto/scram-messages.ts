import { PosternError } from '../base/errors.ts'

/** Postgres sends about 90 bytes. The room is for servers that use longer nonces or salts, or add extensions. */
const SERVER_MESSAGE_MAX_BYTES = 2048
const NONCE_MAX_CHARS = 512
const SALT_MAX_BYTES = 256
/** Least count that RFC 7677 section 4 allows: with fewer, whoever listens can guess the password cheaply. */
const ITERATIONS_MIN = 4096
/** A fifth of a second of one core. A server that asks for more is spending our time, not protecting its password. */
const ITERATIONS_MAX = 1_000_000

export interface ServerFirst {
  /** The message itself, which the proof signs. */
  readonly text: string
  readonly nonce: string
  readonly salt: Buffer
  readonly iterations: number
}

/**
 * Reads `r=nonce,s=salt,i=count` with any extensions behind it (RFC 5802 section 7, server-first-message).
 * @param clientNonce ours: the server's nonce must begin with it and go on
 * @throws PosternError UPSTREAM_PROTOCOL
 */
export function parseServerFirst(message: Uint8Array, clientNonce: string): ServerFirst {
  const text = messageText(message)
  // A mandatory extension (`m=`) in front fails here: a client that does not know it must not go on.
  const [r = '', s = '', i = '', ...extensions] = text.split(',')
  if (!extensions.every((extension) => /^[A-Za-z]=./.test(extension))) throw malformed('extension')
  const nonce = attribute(r, 'r')
  if (nonce.length > NONCE_MAX_CHARS || nonce.length <= clientNonce.length || !nonce.startsWith(clientNonce)) {
    throw malformed('nonce')
  }
  const salt = base64Bytes(attribute(s, 's'))
  if (salt === undefined || salt.length === 0 || salt.length > SALT_MAX_BYTES) throw malformed('salt')
  const count = attribute(i, 'i')
  // Digits only: Number() would also take 0x1000, 4096.0 and 4096e0.
  if (!/^[1-9][0-9]{0,6}$/.test(count)) throw malformed('iteration count')
  const iterations = Number(count)
  if (iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX) throw malformed('iteration count')
  return { text, nonce, salt, iterations }
}

/**
 * Reads `v=signature` (RFC 5802 section 7, server-final-message).
 * @returns the 32 bytes of the server's signature, still to be compared
 * @throws PosternError UPSTREAM_AUTH_FAILED for `e=…`, UPSTREAM_PROTOCOL for anything else
 */
export function parseServerFinal(message: Uint8Array): Buffer {
  const [first = ''] = messageText(message).split(',')
  if (first.startsWith('e=')) {
    throw new PosternError('UPSTREAM_AUTH_FAILED', 'The database refused the user or the password', {
      detail: { scramError: first.slice(2, 66) },
    })
  }
  const signature = base64Bytes(attribute(first, 'v'))
  if (signature?.length !== 32) throw malformed('server signature')
  return signature
}

/** The message as text, if it is short enough and printable ASCII; nothing in it has reason to be anything else. */
function messageText(message: Uint8Array): string {
  if (message.length > SERVER_MESSAGE_MAX_BYTES) throw malformed('length')
  const text = Buffer.from(message).toString('latin1')
  if (!/^[\x20-\x7e]*$/.test(text)) throw malformed('character')
  return text
}

function attribute(part: string, name: string): string {
  if (!part.startsWith(`${name}=`)) throw malformed(`attribute ${name}`)
  return part.slice(2)
}

/** Strict base64: Buffer skips what is not base64, so only a text that encodes back to itself is taken. */
function base64Bytes(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

function malformed(part: string): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', `The database sent a SCRAM message with a wrong ${part}`)
}
