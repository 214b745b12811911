import { asPosternError } from '../base/errors.ts'
import { writeErrorResponse } from '../pgwire/error-response.ts'

/**
 * The ErrorResponse that ends a login: FATAL, the SQLSTATE and the code of the error table, the public text and what to do
 * next. Whatever
 * is not an error of ours reads as an internal one; its text stays in the log.
 */
export function errorResponse(thrown: unknown, sessionId: string): Uint8Array {
  const error = asPosternError(thrown)
  const { sqlstate, action, kind } = error.row
  const hint = error.hint ?? action
  return writeErrorResponse({
    severity: 'FATAL',
    sqlstate,
    message: error.message,
    routine: error.code,
    hint: kind === 'internal' ? `${hint} Session id: ${sessionId}` : hint,
  })
}
