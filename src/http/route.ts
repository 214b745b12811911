import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawReplyDefaultExpression } from 'fastify'
import type { RawRequestDefaultExpression, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import { ApiError, Problem } from '../contract/problem.ts'
import type { Actor } from '../identity/actor.ts'
import type { HttpDependencies } from './http-dependencies.ts'

/** The application as routes see it: bodies, queries and answers have the types of their schemas. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** Adds the routes of one resource. They run only for an authenticated {@link actorOf}. */
export type AddRoutes = (app: HttpApp, deps: HttpDependencies) => void

const actorDecorator = 'postern.actor'

/** Makes room for the actor on every request of the application. */
export function decorateWithActor(app: HttpApp): void {
  app.decorateRequest(actorDecorator, null)
}

export function setActor(request: FastifyRequest, actor: Actor): void {
  request.setDecorator(actorDecorator, actor)
}

/** Who sends the request: known before its body is read, in every route that `AddRoutes` adds. */
export function actorOf(request: FastifyRequest): Actor {
  return request.getDecorator<Actor>(actorDecorator)
}

/** Answers of a `/v1` route: the given one, and problems. */
export function answers<Shape extends z.ZodType>(shape: Shape) {
  return { 200: shape, '4xx': Problem, '5xx': Problem }
}

/** Answers of an `/api/2.0` route. */
export function compatibleAnswers<Shape extends z.ZodType>(shape: Shape) {
  return { 200: shape, '4xx': ApiError, '5xx': ApiError }
}

/** Answers of a route that streams lines of this shape; the lines are written by the route, and pass unchecked. */
export function streamAnswers<Shape extends z.ZodType>(line: Shape) {
  const content = { 'application/x-ndjson': { schema: line } }
  return { 200: { description: 'One JSON object a line.', content }, '4xx': Problem, '5xx': Problem }
}
