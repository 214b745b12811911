import type { IncomingMessage } from 'node:http'
import { PosternError } from '../../base/errors.ts'

const formMaxBytes = 16 * 1024

/**
 * The fields of a form that a page of ours sends.
 * @throws PosternError MALFORMED_REQUEST | REQUEST_TOO_LARGE
 */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const [mediaType] = (request.headers['content-type'] ?? '').split(';')
  if (mediaType?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    throw new PosternError('MALFORMED_REQUEST', 'This page takes the form that it shows')
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > formMaxBytes) throw new PosternError('REQUEST_TOO_LARGE', 'The form is too large')
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
}
