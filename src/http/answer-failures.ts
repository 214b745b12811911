import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { PosternError } from '../base/errors.ts'
import { outOfScope } from './databricks/out-of-scope.ts'
import { asRequestError, failureAnswer } from './problem.ts'
import type { HttpApp } from './route.ts'

/** Answers whatever a route throws, and paths that no route has. */
export function answerFailures(app: HttpApp): void {
  const answer = (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const error = asRequestError(thrown)
    if (error.row.http >= 500) request.log.error({ err: thrown }, 'request failed')
    const { status, headers, contentType, body } = failureAnswer(error, { path: request.url, id: request.id })
    // The text is final: a route's answer schema must not cut fields out of a failure.
    return reply.code(status).headers(headers).type(contentType).serializer(JSON.stringify).send(body)
  }
  app.setErrorHandler(answer)
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const what = outOfScope(request.method, path)
    if (what !== undefined) return answer(notOffered(what), request, reply)
    return answer(new PosternError('NOT_FOUND', `${request.method} ${path} does not exist`), request, reply)
  })
}

function notOffered(what: string): PosternError {
  return new PosternError('FEATURE_NOT_SUPPORTED', `${what}: Postern does not offer this`, {
    hint: 'Instances, their Postgres roles and credentials are under /api/2.0/database; docs/guide/databricks-clients.md lists what works.',
  })
}

/** Answers bytes that never became a request, in the shape of every other failure, and ends the connection. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable) return
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const failure = isTooLarge
    ? new PosternError('REQUEST_TOO_LARGE', 'The headers of the request are too large')
    : new PosternError('MALFORMED_REQUEST', 'This is not an HTTP request')
  const { body, contentType } = failureAnswer(failure, { path: '', id: randomUUID() })
  const status = isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const text = JSON.stringify({ ...body, status: isTooLarge ? 431 : 400 })
  const head = `HTTP/1.1 ${status}\r\nContent-Type: ${contentType}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close`
  socket.end(`${head}\r\n\r\n${text}`)
}
