import { InvalidArgumentError, Option, type Command } from 'commander'
import { durationSeconds } from './option-values.ts'

/** What restricts a database credential, as the commands that get one take it. */
export interface CredentialOptions {
  readonly group?: string
  readonly readOnly?: true
  readonly lifetime?: number
}

const shortestSeconds = 300
const longestSeconds = 3600

/** Declares `--group`, `--read-only` and `--lifetime`. */
export function addCredentialOptions(command: Command): Command {
  return command
    .option('--group <name>', 'as a member of this group: the credential logs in as its Postgres role alone')
    .option('--read-only', 'the credential logs in to a standby alone, where nothing can be written')
    .addOption(
      new Option('--lifetime <duration>', 'how long the credential opens sessions: 5m to 1h (default: 1h)').argParser(
        lifetimeSeconds,
      ),
    )
}

function lifetimeSeconds(text: string): number {
  const seconds = durationSeconds(text)
  if (seconds >= shortestSeconds && seconds <= longestSeconds) return seconds
  throw new InvalidArgumentError('It must be from 5m to 1h.')
}
