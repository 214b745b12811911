import type { Clock } from '../base/clock.ts'
import type { Environment } from './environment.ts'
import type { Terminal } from './terminal.ts'

/** What every command is given: where it reads and writes, and the options that all commands share. */
export interface Cli {
  readonly terminal: Terminal
  readonly environment: Environment
  readonly clock: Clock
  /** `table` for people, `json` for programs. */
  readonly output: 'table' | 'json'
  /** `--host`, as it was written. */
  readonly host: string
  /** `--ca-file`. */
  readonly caFile: string | undefined
  /** `--profile`: whose control plane and whose sign-in. `host` and `caFile` are those of the profile where nothing else is said. */
  readonly profile: string | undefined
}
