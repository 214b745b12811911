import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'

const KEY_BYTES = 32

/** A data key as it lies beside its value: nonce, encrypted key, tag. */
export const WRAPPED_KEY_BYTES = 12 + KEY_BYTES + 16

/**
 * The key-encryption key. It wraps the data key of every sealed value, and gives digests that nobody else can guess at; it never
 * lies in the metadata store (design section 5c).
 *
 * While it is being exchanged it knows another key as well, and opens what that one wrapped. All who hold this object see the
 * exchange at once.
 */
export class MasterKey {
  #bytes: Buffer
  #id: Buffer
  /** Keys that open and do not seal, by their ids in hex. */
  readonly #others = new Map<string, Buffer>()

  private constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#id = idOf(bytes)
  }

  /** 8 bytes that name this key without telling anything about it: a sealed value says which key wrapped it. */
  get id(): Buffer {
    return this.#id
  }

  /** Ids of the other keys that open. */
  get otherIds(): readonly Buffer[] {
    return [...this.#others.keys()].map((id) => Buffer.from(id, 'hex'))
  }

  /** From now on what `other` wrapped opens too. */
  alsoOpen(other: MasterKey): void {
    this.#others.set(other.#id.toString('hex'), other.#bytes)
  }

  /** From now on `next` seals, and what was wrapped before still opens. */
  exchangeFor(next: MasterKey): void {
    if (next.#id.equals(this.#id)) return
    this.#others.set(this.#id.toString('hex'), this.#bytes)
    this.#bytes = next.#bytes
    this.#id = next.#id
    this.#others.delete(next.#id.toString('hex'))
  }

  /** From now on only what this key itself wrapped opens. */
  forgetOthers(): void {
    this.#others.clear()
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

  /** The other keys that open, in the same form. */
  exportOthers(): readonly Secret[] {
    return [...this.#others.values()].map((bytes) => new Secret(bytes.toString('base64')))
  }

  /** Encrypts a data key with AES-256-GCM. The result is {@link WRAPPED_KEY_BYTES} long. */
  wrap(dataKey: Uint8Array): Buffer {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#bytes, nonce).setAAD(wrapPurpose)
    return Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()])
  }

  /**
   * A digest of a text that may hold secrets, for records that others read: without the key no guess can be tried against it.
   * Under another master key the same text has another digest.
   * @param purpose what the digests are for; those of two purposes cannot be compared
   */
  digest(purpose: string, text: string): Buffer {
    const key = createHmac('sha256', this.#bytes).update(`postern digest ${purpose}`).digest()
    return createHmac('sha256', key).update(text).digest()
  }

  /** Whether it opens what the key of this id wrapped. */
  knows(id: Uint8Array): boolean {
    return this.#keyOf(id) !== undefined
  }

  /** The data key, or undefined when the bytes were not made by {@link MasterKey.wrap} of the key of this id, or that key is not known. */
  unwrap(wrapped: Uint8Array, id: Uint8Array = this.#id): Buffer | undefined {
    const key = this.#keyOf(id)
    if (key === undefined) return undefined
    const bytes = Buffer.from(wrapped)
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
      .setAAD(wrapPurpose)
      .setAuthTag(bytes.subarray(-16))
    try {
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    } catch {
      return undefined // the tag does not fit: AES-GCM has no other failure
    }
  }

  #keyOf(id: Uint8Array): Buffer | undefined {
    return this.#id.equals(id) ? this.#bytes : this.#others.get(Buffer.from(id).toString('hex'))
  }
}

function idOf(bytes: Buffer): Buffer {
  return createHmac('sha256', bytes).update('postern master key id').digest().subarray(0, 8)
}

const wrapPurpose = Buffer.from('postern data key')
