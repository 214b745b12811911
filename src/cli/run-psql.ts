import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Cli } from './cli.ts'
import { CliError } from './cli-error.ts'

const program = 'psql'

/** libpq settings that would send the credential elsewhere, or refuse the password that the gateway asks for. */
const overridden = [
  'PGHOSTADDR',
  'PGSERVICE',
  'PGSERVICEFILE',
  'PGCHANNELBINDING',
  'PGREQUIREAUTH',
  'PGSSLCERT',
  'PGSSLKEY',
]

/**
 * Runs the psql of this machine on our own terminal. The credential is in the environment of that process alone; the
 * service-principal secret of ours is not.
 * @param settings variables of libpq; undefined ones are removed
 * @returns its exit status, 127 where there is no psql, 128 + signal where a signal ended it
 */
export async function runPsql(
  cli: Cli,
  psqlArguments: readonly string[],
  settings: Record<string, string | undefined>,
): Promise<number> {
  const environment: Record<string, string | undefined> = { ...cli.environment }
  for (const name of [...overridden, 'POSTERN_CLIENT_SECRET']) delete environment[name]
  const child = spawn(program, psqlArguments, { stdio: 'inherit', env: { ...environment, ...settings } })
  // Ctrl-C is for psql, which cancels its statement; both processes get the signal from the terminal.
  const stopIgnoring = cli.terminal.onInterrupt(() => undefined)
  const forward = () => child.kill('SIGTERM')
  process.on('SIGTERM', forward)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', (cause: NodeJS.ErrnoException) => reject(explainMissing(cause)))
      child.on('exit', (status, signal) => resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
  } finally {
    stopIgnoring()
    process.off('SIGTERM', forward)
  }
}

function explainMissing(cause: NodeJS.ErrnoException): CliError {
  return new CliError(
    'missingProgram',
    cause.code === 'ENOENT' ? 'psql is not installed, or not on the PATH' : `psql cannot be started (${cause.code})`,
    {
      hint: 'Install the PostgreSQL client (Debian: apt-get install postgresql-client), or use `postern credential create`.',
      cause,
    },
  )
}
