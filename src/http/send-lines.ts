import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { NDJSON } from './stream-lines.ts'

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
    .type(NDJSON)
    .header('x-accel-buffering', 'no')
    .serializer((payload: unknown) => payload as string)
    .send(stream)
}

async function* asText(lines: AsyncGenerator<unknown, void>): AsyncGenerator<string, void> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`
}
