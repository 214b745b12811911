/**
 * Sealing: how a secret lies in the metadata store (design section 5, invariant 2).
 *
 * ```
 * offset  bytes  part
 *      0      1  version, 1
 *      1      8  id of the master key that wrapped the data key
 *      9     60  data key wrapped by the master key: nonce 12, key 32, tag 16
 *     69     12  nonce of the value
 *     81      n  value, AES-256-GCM by the data key
 *   81+n     16  tag of the value
 * ```
 *
 * Each value has a random data key of its own. The place where the value lies and the destination that it is for are
 * authenticated with the value, not with the wrapped data key: exchanging the master key rewrites bytes 1 to 68 and touches
 * nothing behind them, and needs no knowledge of places or destinations.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { WRAPPED_KEY_BYTES, type MasterKey } from './master-key.ts'

const VERSION = 1
const KEY_ID_AT = 1
const WRAPPED_KEY_AT = 9
const NONCE_AT = WRAPPED_KEY_AT + WRAPPED_KEY_BYTES
const VALUE_AT = NONCE_AT + 12
const TAG_BYTES = 16

/** Where a sealed value belongs. It opens nowhere else. */
export interface SealContext {
  readonly table: string
  /** Primary key of the row; several columns joined by the caller in a form that cannot collide. */
  readonly row: string
  readonly field: string
  /** Canonical fingerprint of where the secret may be sent. Absent: the secret is not for sending anywhere. */
  readonly destination?: string
}

/**
 * Encrypts a secret for one place (and destination). Sealing the same secret twice gives unrelated bytes.
 * @throws PosternError INVALID_ARGUMENT when the secret is not well-formed Unicode: it would come back changed
 */
export function seal(key: MasterKey, secret: Secret, context: SealContext): Buffer {
  const text = secret.reveal()
  if (!text.isWellFormed()) throw new PosternError('INVALID_ARGUMENT', 'A secret must be well-formed Unicode text')
  const dataKey = randomBytes(32)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce).setAAD(associatedData(context))
  const value = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return Buffer.concat([Buffer.of(VERSION), key.id, key.wrap(dataKey), nonce, value])
}

/**
 * Decrypts a sealed value. It opens only with the key, at the place and for the destination that it was sealed for.
 * @throws PosternError SECRET_UNREADABLE; `detail.reason` tells `wrong-key` from `malformed` and `wrong-place`
 */
export function open(key: MasterKey, sealed: Uint8Array, context: SealContext): Secret {
  const bytes = Buffer.from(sealed)
  if (bytes.length < VALUE_AT + TAG_BYTES || bytes[0] !== VERSION) throw unreadable(context, 'malformed')
  const keyId = bytes.subarray(KEY_ID_AT, WRAPPED_KEY_AT)
  if (!key.knows(keyId)) throw unreadable(context, 'wrong-key')
  const dataKey = key.unwrap(bytes.subarray(WRAPPED_KEY_AT, NONCE_AT), keyId)
  if (dataKey === undefined) throw unreadable(context, 'malformed')
  const decipher = createDecipheriv('aes-256-gcm', dataKey, bytes.subarray(NONCE_AT, VALUE_AT), {
    authTagLength: TAG_BYTES,
  })
    .setAAD(associatedData(context))
    .setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const opened = Buffer.concat([decipher.update(bytes.subarray(VALUE_AT, -TAG_BYTES)), decipher.final()])
    return new Secret(opened.toString('utf8'))
  } catch {
    throw unreadable(context, 'wrong-place') // the tag does not fit: AES-GCM has no other failure
  }
}

/**
 * The same value, wrapped by the current master key instead of the other one that it knows. The value itself is not opened.
 * @returns the bytes as they are when the current key wrapped them already; undefined when no known key did, or they are damaged
 */
export function rewrap(key: MasterKey, sealed: Uint8Array): Buffer | undefined {
  const bytes = Buffer.from(sealed)
  if (bytes.length < VALUE_AT + TAG_BYTES || bytes[0] !== VERSION) return undefined
  const keyId = bytes.subarray(KEY_ID_AT, WRAPPED_KEY_AT)
  if (keyId.equals(key.id)) return bytes
  const dataKey = key.unwrap(bytes.subarray(WRAPPED_KEY_AT, NONCE_AT), keyId)
  return dataKey && Buffer.concat([Buffer.of(VERSION), key.id, key.wrap(dataKey), bytes.subarray(NONCE_AT)])
}

/** JSON of a list of strings is injective: two contexts have the same text only if they are the same. */
function associatedData(context: SealContext): Buffer {
  const { table, row, field, destination = null } = context
  return Buffer.from(JSON.stringify(['postern sealed value', VERSION, table, row, field, destination]))
}

type Unreadable = 'malformed' | 'wrong-key' | 'wrong-place'

const unreadableText: Record<Unreadable, string> = {
  malformed: 'A sealed value is damaged',
  'wrong-key': 'A sealed value was sealed with another master key',
  'wrong-place': 'A sealed value was changed, or sealed for another row, field or destination',
}

function unreadable(context: SealContext, reason: Unreadable): PosternError {
  const { table, row, field } = context
  return new PosternError('SECRET_UNREADABLE', unreadableText[reason], { detail: { reason, table, row, field } })
}
