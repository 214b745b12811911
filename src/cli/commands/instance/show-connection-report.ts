import type { z } from 'zod'
import type { ConnectionReport } from '../../../contract/instances.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { printable } from '../../printable.ts'

const stageTitles = {
  secret: 'secret',
  name: 'host name resolves',
  tcp: 'port answers',
  ssh_handshake: 'SSH',
  ssh_host_key: 'SSH host key',
  ssh_login: 'SSH login',
  ssh_forward: 'SSH forward',
  tls: 'TLS',
  login: 'login',
  version: 'server version',
  privileges: 'privileges',
} as const

/** Shows a connection test stage by stage, in the order in which they ran. */
export function showConnectionReport(cli: Cli, report: z.infer<typeof ConnectionReport>): void {
  if (cli.output === 'json') return showJson(cli, report)
  for (const { stage, ok, elapsedMs, code, message, action } of report.stages) {
    const outcome = message === undefined ? '' : `  ${printable(message)}`
    cli.terminal.print(
      `${ok ? '✓' : '✗'} ${stageTitles[stage].padEnd(18)} ${`${Math.round(elapsedMs)} ms`.padStart(8)}${outcome}`,
    )
    if (action !== undefined) cli.terminal.print(`  ${printable(action)}${code === undefined ? '' : ` [${code}]`}`)
  }
  if (report.serverVersion !== undefined) cli.terminal.print(`Server version: ${printable(report.serverVersion)}`)
  if (report.missingPrivileges.length > 0) {
    cli.terminal.print('An administrator of the database should run:')
    for (const statement of report.missingPrivileges) cli.terminal.print(`  ${printable(statement)}`)
  }
}
