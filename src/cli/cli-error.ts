import type { Problem } from '../contract/problem.ts'
import type { Failure } from './exit-code.ts'

interface CliErrorOptions {
  /** What to do next, as one sentence. */
  readonly hint?: string
  /** Error code of the answer, for people who look it up in docs/reference/errors.md. */
  readonly code?: string
  /** Id under which the log and the audit records of the server know the request. */
  readonly requestId?: string
  /** What the server said, where a command reads more of it than the message. */
  readonly problem?: Problem | undefined
  readonly cause?: unknown
}

/** A failure that the CLI reports on purpose: what happened, to what, and what to do next. Holds no secret. */
export class CliError extends Error {
  readonly failure: Failure
  readonly hint: string | undefined
  readonly code: string | undefined
  readonly requestId: string | undefined
  readonly problem: Problem | undefined

  constructor(failure: Failure, message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CliError'
    this.failure = failure
    this.hint = options.hint
    this.code = options.code
    this.requestId = options.requestId
    this.problem = options.problem
  }
}
