import type { ErrorKind } from '../base/errors.ts'

/** Why a command failed: the kinds of the error table, and what can only happen on the caller's side. */
export type Failure = ErrorKind | 'unreachable' | 'missingProgram' | 'interrupted'

/**
 * Exit status of every kind of failure, total over the kinds. 69 is EX_UNAVAILABLE of sysexits.h; 127 and 130 (128 + SIGINT)
 * are what a shell reports for a missing program and after Ctrl-C. `postern psql` ends with the status of psql itself.
 */
export const EXIT_CODES = {
  internal: { status: 1, meaning: 'Something failed inside Postern, or its answer was not understood.' },
  caller: { status: 2, meaning: 'The command line, an option, a file or a field of the request is wrong.' },
  denied: { status: 3, meaning: 'Not signed in, the sign-in has expired, or it may not do this.' },
  absent: { status: 4, meaning: 'What the command names does not exist.' },
  conflict: {
    status: 5,
    meaning: 'It exists already, was changed meanwhile, or is in a state that does not allow this.',
  },
  limit: { status: 6, meaning: 'A limit was reached, or too many requests were sent.' },
  upstream: { status: 7, meaning: 'The database behind Postern refused or did not answer; a connection test failed.' },
  dependency: {
    status: 8,
    meaning: 'Something Postern needs is missing: its store, its key, a port, its data folder.',
  },
  unreachable: { status: 69, meaning: 'Nothing answers at the host, or its certificate is not trusted.' },
  missingProgram: { status: 127, meaning: 'A program that the command runs, such as psql, is not installed.' },
  interrupted: { status: 130, meaning: 'Ctrl-C.' },
} as const satisfies Record<Failure, { readonly status: number; readonly meaning: string }>

/** Exit status of a failure. */
export function exitCode(failure: Failure): number {
  return EXIT_CODES[failure].status
}
