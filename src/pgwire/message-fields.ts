/**
 * Fields that messages are made of: big-endian integers and NUL-terminated UTF-8 strings.
 * @see https://www.postgresql.org/docs/current/protocol-message-types.html
 */

const encoder = new TextEncoder()
// fatal: two different byte strings must never read as one name. ignoreBOM: a leading U+FEFF is part of the value.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const lenientDecoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The text, or undefined when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** A signed 32-bit number, most significant byte first. */
export function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value)
  return bytes
}

/**
 * The text as UTF-8 with its terminator.
 * @throws RangeError when the text holds a NUL: it would end the field early and let its rest be read as other fields
 */
export function cstring(text: string): Uint8Array {
  if (text.includes('\0')) throw new RangeError('a string of the Postgres protocol cannot contain NUL')
  return encoder.encode(`${text}\0`)
}

/** A message: type byte, unless `type` is undefined, and a length that includes itself but not the type. */
export function message(type: string | undefined, ...fields: readonly Uint8Array[]): Uint8Array {
  const headerLength = type === undefined ? 4 : 5
  const bodyLength = fields.reduce((sum, field) => sum + field.length, 0)
  const bytes = new Uint8Array(headerLength + bodyLength)
  if (type !== undefined) bytes[0] = type.charCodeAt(0)
  new DataView(bytes.buffer).setInt32(headerLength - 4, bodyLength + 4)
  let offset = headerLength
  for (const field of fields) {
    bytes.set(field, offset)
    offset += field.length
  }
  return bytes
}

/** Reads fields one after another. Every read gives undefined once the body ends too early or holds invalid text. */
export class FieldReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  byte(): number | undefined {
    return this.#bytes[this.#offset++]
  }

  int16(): number | undefined {
    return this.#has(2) ? this.#view.getInt16(this.#advance(2)) : undefined
  }

  int32(): number | undefined {
    return this.#has(4) ? this.#view.getInt32(this.#advance(4)) : undefined
  }

  cstring(): string | undefined {
    const end = this.#bytes.indexOf(0, this.#offset)
    if (end < 0) return undefined
    const text = decodeUtf8(this.#bytes.subarray(this.#offset, end))
    this.#offset = end + 1
    return text
  }

  /** For text to be shown, not compared: bytes that are not UTF-8 read as U+FFFD. */
  lenientCstring(): string | undefined {
    const end = this.#bytes.indexOf(0, this.#offset)
    return end < 0 ? undefined : lenientDecoder.decode(this.#bytes.subarray(this.#advance(end + 1 - this.#offset), end))
  }

  /** The next `length` bytes as text. */
  text(length: number): string | undefined {
    const bytes = this.bytes(length)
    return bytes && decodeUtf8(bytes)
  }

  /** The next `length` bytes, not copied. */
  bytes(length: number): Uint8Array | undefined {
    if (length < 0 || !this.#has(length)) return undefined
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** All that is left, not copied. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#advance(this.#bytes.length - this.#offset))
  }

  #has(length: number): boolean {
    return this.#bytes.length - this.#offset >= length
  }

  #advance(length: number): number {
    const start = this.#offset
    this.#offset += length
    return start
  }
}
