import { StringDecoder } from 'node:string_decoder'
import { PosternError } from '../../base/errors.ts'
import { isRecord } from '../read-body.ts'

/** One answer of a stream is at most 10 MiB in Spanner itself; JSON makes more of it. */
const MAX_OBJECT_CHARS = 64 * 1024 * 1024

/**
 * The JSON objects of a body, one by one as they arrive: Google streams them as the elements of an array, the emulator one
 * after the other.
 * @throws PosternError UPSTREAM_PROTOCOL for anything else
 */
export async function* readJsonStream(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const decoder = new StringDecoder('utf8')
  const splitter = new ObjectSplitter()
  for await (const chunk of body) {
    for (const text of splitter.push(decoder.write(Buffer.from(chunk)))) yield parse(text)
  }
  if (splitter.isInside) throw notJson('the answer ended in the middle')
}

class ObjectSplitter {
  #unread = ''
  /** Up to here `#unread` was looked at. */
  #at = 0
  #depth = 0
  #isInString = false
  #isEscaped = false

  get isInside(): boolean {
    return this.#depth > 0
  }

  *push(text: string): Generator<string> {
    this.#unread += text
    let start = 0
    for (; this.#at < this.#unread.length; this.#at += 1) {
      const before = this.#depth
      this.#look(this.#unread[this.#at] ?? '')
      if (before === 0 && this.#depth === 1) start = this.#at
      if (before === 1 && this.#depth === 0) {
        yield this.#unread.slice(start, this.#at + 1)
        start = this.#at + 1
      }
    }
    this.#unread = this.#unread.slice(start)
    this.#at = this.#unread.length
    if (this.#unread.length > MAX_OBJECT_CHARS) throw notJson('one part of the answer is too long')
  }

  #look(char: string): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (this.#isInString) {
      if (char === '\\') this.#isEscaped = true
      else if (char === '"') this.#isInString = false
    } else if (char === '{') this.#depth += 1
    else if (this.#depth === 0) {
      if (!'[], \r\n\t'.includes(char)) throw notJson('the answer is not JSON')
    } else if (char === '"') this.#isInString = true
    else if (char === '}') this.#depth -= 1
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value)) return value
  } catch {
    // Told below.
  }
  throw notJson('the answer is not JSON')
}

function notJson(reason: string): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', `what answers does not speak the protocol of Spanner: ${reason}`)
}
