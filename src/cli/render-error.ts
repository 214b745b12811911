import { PosternError } from '../base/errors.ts'
import { CliError } from './cli-error.ts'
import { exitCode } from './exit-code.ts'
import { printable } from './printable.ts'

/** One failure as a person reads it, and the status that the process ends with. */
export interface RenderedError {
  /** `postern: what happened. What to do.` with the code and the request id where there are some; one line, unless it is a list. */
  readonly text: string
  readonly status: number
}

/** Renders whatever was thrown. The text of an unexpected failure is shown: it happened on the caller's own machine. */
export function renderError(thrown: unknown): RenderedError {
  if (thrown instanceof CliError) {
    const origin = [thrown.code, thrown.requestId && `request ${thrown.requestId}`].filter(Boolean).join(', ')
    return { text: sentence(printable(thrown.message), thrown.hint, origin), status: exitCode(thrown.failure) }
  }
  if (thrown instanceof PosternError) {
    return {
      text: sentence(thrown.message, thrown.hint ?? thrown.row.action, thrown.code),
      status: exitCode(thrown.row.kind),
    }
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return {
    text: sentence(`unexpected failure: ${message}`, 'Report it with the output of POSTERN_DEBUG=1.', ''),
    status: exitCode('internal'),
  }
}

/** Cause and stack of a failure, for POSTERN_DEBUG. Secrets are `Secret` values and print as `[secret]`. */
export function renderDebug(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const cause = thrown.cause === undefined ? '' : `\ncaused by ${renderDebug(thrown.cause)}`
  return (thrown.stack ?? thrown.message) + cause
}

function sentence(message: string, hint: string | undefined, origin: string): string {
  const parts = [endSentence(message), hint && endSentence(hint), origin && `[${origin}]`].filter(
    (part) => part !== undefined && part !== '',
  )
  // A list of mistakes keeps its lines, and the advice stands below it.
  return `postern: ${parts
    .join(message.includes('\n') ? '\n' : ' ')
    .split('\n')
    .map(printable)
    .join('\n')}`
}

function endSentence(text: string): string {
  return /[.!?:]$/.test(text) || text.includes('\n') ? text : `${text}.`
}
