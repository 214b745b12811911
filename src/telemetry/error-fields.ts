import { PosternError } from '../base/errors.ts'

/** An error as a log line shows it. */
export interface ErrorFields {
  readonly name: string
  readonly message: string
  /** Ours, an errno or a SQLSTATE. */
  readonly code?: string
  readonly detail?: unknown
  readonly stack?: string
  readonly cause?: ErrorFields
  /** Of an AggregateError, the first few. */
  readonly errors?: readonly ErrorFields[]
}

/** Deep enough for every chain we build; an endless one (a cause that is its own cause) stops here. */
const CHAIN_MAX = 8
const ERRORS_MAX = 5

/**
 * The fields of an error that may be logged, down its chain of causes. Of foreign errors only these are taken: drivers hang
 * the statement, its parameters or the whole connection string on theirs.
 */
function errorFields(thrown: unknown, depth = 0): ErrorFields {
  if (!(thrown instanceof Error)) return { name: 'NotAnError', message: `${typeof thrown} was thrown` }
  const code: unknown = (thrown as { code?: unknown }).code
  const isLast = depth + 1 >= CHAIN_MAX
  return {
    name: thrown.name,
    message: thrown.message,
    ...(typeof code === 'string' && { code }),
    ...(thrown instanceof PosternError &&
      thrown.detail !== undefined && { detail: loggable(thrown.detail, depth + 1) }),
    ...(thrown.stack !== undefined && { stack: thrown.stack }),
    ...(thrown.cause !== undefined && !isLast && { cause: errorFields(thrown.cause, depth + 1) }),
    ...(thrown instanceof AggregateError &&
      !isLast && { errors: thrown.errors.slice(0, ERRORS_MAX).map((one) => errorFields(one, depth + 1)) }),
  }
}

/** A value with every error in it written out by {@link errorFields}, however deep it lies. What knows its own JSON keeps it. */
export function loggable(value: unknown, depth = 0): unknown {
  if (value instanceof Error) return errorFields(value, depth)
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value
  if (depth >= CHAIN_MAX) return '[deeper]'
  if (Array.isArray(value)) return value.map((one) => loggable(one, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, loggable(one, depth + 1)]))
}
