import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'

const KEY_BYTES = 32

/** A data key as it lies beside its value: nonce, encrypted key, tag. */
export const WRAPPED_KEY_BYTES = 12 + KEY_BYTES + 16

/**
 * The key-encryption key. It wraps the data key of every sealed value and does nothing else; it never lies in the metadata
 * store (design section 5c).
 */
export class MasterKey {
  readonly #bytes: Buffer
  /** 8 bytes that name this key without telling anything about it: a sealed value says which key wrapped it. */
  readonly id: Buffer

  private constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.id = createHmac('sha256', bytes).update('postern master key id').digest().subarray(0, 8)
  }

  static generate(): MasterKey {
    return new MasterKey(randomBytes(KEY_BYTES))
  }

  /**
   * @param text base64 of exactly 32 bytes; white space around it is ignored
   * @throws PosternError CONFIG_INVALID
   */
  static parse(text: string): MasterKey {
    const trimmed = text.trim()
    const bytes = Buffer.from(trimmed, 'base64')
    // Buffer skips what is not base64, so only a text that encodes back to itself was base64.
    if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== trimmed) {
      throw new PosternError('CONFIG_INVALID', 'The master key must be the base64 form of exactly 32 bytes', {
        hint: 'Make one with: openssl rand -base64 32',
      })
    }
    return new MasterKey(bytes)
  }

  /** The key in the form that {@link MasterKey.parse} reads. */
  export(): Secret {
    return new Secret(this.#bytes.toString('base64'))
  }

  /** Encrypts a data key with AES-256-GCM. The result is {@link WRAPPED_KEY_BYTES} long. */
  wrap(dataKey: Uint8Array): Buffer {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#bytes, nonce).setAAD(wrapPurpose)
    return Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()])
  }

  /** The data key, or undefined when the bytes were not made by this key's {@link MasterKey.wrap}. */
  unwrap(wrapped: Uint8Array): Buffer | undefined {
    const bytes = Buffer.from(wrapped)
    const decipher = createDecipheriv('aes-256-gcm', this.#bytes, bytes.subarray(0, 12), { authTagLength: 16 })
      .setAAD(wrapPurpose)
      .setAuthTag(bytes.subarray(-16))
    try {
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    } catch {
      return undefined // the tag does not fit: AES-GCM has no other failure
    }
  }
}

const wrapPurpose = Buffer.from('postern data key')
