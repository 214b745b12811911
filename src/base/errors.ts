import { ERRORS, type ErrorCode, type ErrorRow } from './error-table.ts'

export type { ErrorCode, ErrorKind, ErrorRow } from './error-table.ts'

interface PosternErrorOptions {
  /** What led here, for the log only. */
  readonly cause?: unknown
  /** What to do next, when something better than the table's general advice is known. May be shown to a client. */
  readonly hint?: string
  /** For the log and the audit record only. Holds no secret. */
  readonly detail?: Readonly<Record<string, unknown>>
}

/** A failure that Postern reports on purpose. Anything else that is thrown is answered as `INTERNAL`. */
export class PosternError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly detail: Readonly<Record<string, unknown>> | undefined

  /** @param publicMessage text that the caller may see: no secrets, no one else's SQL, no internal addresses */
  constructor(code: ErrorCode, publicMessage: string, options: PosternErrorOptions = {}) {
    super(publicMessage, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PosternError'
    this.code = code
    this.hint = options.hint
    this.detail = options.detail
  }

  get row(): ErrorRow {
    return ERRORS[this.code]
  }
}

/** The failure itself, or `INTERNAL` around whatever else was thrown: its text stays in the log. */
export function asPosternError(thrown: unknown): PosternError {
  if (thrown instanceof PosternError) return thrown
  return new PosternError('INTERNAL', 'Internal error', { cause: thrown })
}
