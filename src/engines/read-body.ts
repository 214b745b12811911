import { PosternError } from '../base/errors.ts'

/**
 * The whole body of an answer.
 * @throws PosternError UPSTREAM_PROTOCOL when it is longer: nothing that an engine reads whole is that long
 */
export async function readBody(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) throw new PosternError('UPSTREAM_PROTOCOL', 'the database answered with more than it should')
    chunks.push(Uint8Array.from(chunk))
  }
  return Buffer.concat(chunks)
}

/** A JSON object, or undefined for anything else. */
export function parseJsonObject(bytes: Buffer | string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return isRecord(value) ? value : undefined
  } catch {
    return undefined // not JSON
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
