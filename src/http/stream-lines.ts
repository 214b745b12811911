import { PassThrough } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { asRequestError, failureAnswer } from './problem.ts'

/** Media type of an answer that comes line by line, each one a JSON object. */
export const NDJSON = 'application/x-ndjson'

/** Whether the caller asked for the answer line by line, as it comes to be. */
export function wantsLines(request: FastifyRequest): boolean {
  return (request.headers.accept ?? '').split(',').some((type) => type.split(';', 1)[0]?.trim() === NDJSON)
}

/** Aborted when the caller leaves before the answer is complete. */
export function signalOf(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  const leave = () => {
    if (!reply.raw.writableFinished) controller.abort()
  }
  reply.raw.once('close', leave)
  request.raw.once('aborted', leave)
  return controller.signal
}

/**
 * Answers line by line: whatever `run` tells, and its result as the last line. A failure is a last line of its own, a problem
 * like any other, since the status went out before.
 */
export function streamLines<Line extends object>(
  request: FastifyRequest,
  reply: FastifyReply,
  run: (tell: (line: Line) => void, signal: AbortSignal) => Promise<Line>,
): FastifyReply {
  const signal = signalOf(request, reply)
  const lines = new PassThrough()
  const tell = (line: object) => void lines.write(`${JSON.stringify(line)}\n`)
  const answer = async () => {
    try {
      tell(await run(tell, signal))
    } catch (thrown) {
      const error = asRequestError(thrown)
      if (error.row.http >= 500) request.log.error({ err: thrown }, 'a streamed answer failed')
      tell({ type: 'problem', problem: failureAnswer(error, { path: '/v1/', id: request.id }).body })
    }
    lines.end()
  }
  void answer()
  // Whoever stands between must not keep lines back.
  return reply.type(NDJSON).header('x-accel-buffering', 'no').send(lines)
}
