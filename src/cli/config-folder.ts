import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from './environment.ts'

/** Where the command line keeps what it remembers: `$XDG_CONFIG_HOME/postern`, else `~/.config/postern`. */
export function configFolder(environment: Environment): string {
  return join(environment['XDG_CONFIG_HOME'] || join(environment['HOME'] || homedir(), '.config'), 'postern')
}
