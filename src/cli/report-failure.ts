import type { Environment } from './environment.ts'
import { renderDebug, renderError } from './render-error.ts'
import type { Terminal } from './terminal.ts'

/** Shows a failure, of a client command or of a server that did not start, and returns the exit status. */
export function reportFailure(thrown: unknown, environment: Environment, terminal: Terminal): number {
  const { text, status } = renderError(thrown)
  terminal.note(text)
  if (environment['POSTERN_DEBUG'] === '1') terminal.note(renderDebug(thrown))
  return status
}
