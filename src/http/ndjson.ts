import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** Media type of a stream of JSON objects, one a line. */
export const ndjsonType = 'application/x-ndjson'

/** Aborted when the caller is gone before the answer was finished: whatever is done for him may end. */
export function callerGone(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const end = (): void => {
    if (!reply.raw.writableFinished) gone.abort()
  }
  request.raw.socket.once('close', end)
  reply.raw.once('close', () => {
    end()
    request.raw.socket.off('close', end)
  })
  return gone.signal
}

/**
 * Answers with one JSON object a line, each sent as soon as it is there. What the caller does not read is not asked for: the
 * back-pressure of his connection reaches whoever makes the lines. Ending the answer early ends the iteration.
 *
 * @param overdue aborted when the answer must be over, whether the caller reads or not
 */
export function sendLines(
  reply: FastifyReply,
  lines: AsyncGenerator<unknown, void>,
  { gone, overdue }: { readonly gone: AbortSignal; readonly overdue?: AbortSignal },
): FastifyReply {
  // One line ahead at most: a line may hold hundreds of rows.
  const stream = Readable.from(asText(lines), { objectMode: true, highWaterMark: 1 })
  const end = (): void => void stream.destroy()
  gone.addEventListener('abort', end, { once: true })
  overdue?.addEventListener('abort', () => reply.raw.destroy(), { once: true })
  if (gone.aborted) end()
  // Whoever stands between must not keep lines back.
  return reply
    .type(ndjsonType)
    .header('x-accel-buffering', 'no')
    .serializer((payload: unknown) => payload as string)
    .send(stream)
}

async function* asText(lines: AsyncGenerator<unknown, void>): AsyncGenerator<string, void> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`
}
