import type { ConnectionReport, ConnectionStage } from '../../contract/connection-reports.ts'
import type { Cli } from '../cli.ts'
import { showJson } from '../output.ts'
import { printable } from '../printable.ts'
import { showStatements } from './show-statements.ts'

const stageTitles: Readonly<Record<ConnectionStage['stage'], string>> = {
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
}

/** Shows a stage of a connection test: what was done, how long it took, and at a failure what to do. */
export function showStage(
  cli: Cli,
  { stage, ok, elapsedMs, detail, secrets, code, message, action }: ConnectionStage,
): void {
  const outcome = message ?? (secrets === undefined ? detailText(detail) : secrets.map(secretText).join('; '))
  cli.terminal.print(
    `${ok ? '✓' : '✗'} ${stageTitles[stage].padEnd(18)} ${`${Math.round(elapsedMs)} ms`.padStart(8)}${outcome === '' ? '' : `  ${printable(outcome)}`}`,
  )
  if (action !== undefined) cli.terminal.print(`  ${printable(action)}${code === undefined ? '' : ` [${code}]`}`)
}

/** Shows what a connection test found, after its stages. */
export function showConclusion(cli: Cli, report: ConnectionReport): void {
  if (cli.output === 'json') return showJson(cli, report)
  for (const each of [report, ...(report.readOnlyDataSources ?? [])]) {
    if (report.readOnlyDataSources !== undefined) cli.terminal.print(`Data source ${printable(each.dataSource)}:`)
    showFindings(cli, each)
  }
  const { addressesToAllow } = report
  if (addressesToAllow.length > 0) line(cli, 'Addresses to allow', addressesToAllow.join(', '))
}

function showFindings(cli: Cli, report: Omit<ConnectionReport, 'readOnlyDataSources'>): void {
  const { serverVersion, user, privileges, seenAddress, warnings, missingPrivileges } = report
  if (serverVersion !== undefined) line(cli, 'Server version', serverVersion)
  if (user !== undefined) line(cli, 'User', user)
  if (privileges.length > 0) line(cli, 'Privileges', privileges.join(', '))
  if (seenAddress !== null) line(cli, 'Seen from', seenAddress)
  for (const warning of warnings) line(cli, 'Warning', warning)
  showStatements(cli, 'An administrator of the database should run:', missingPrivileges)
}

function line(cli: Cli, title: string, text: string): void {
  cli.terminal.print(`${title}: ${printable(text)}`)
}

function secretText(secret: NonNullable<ConnectionStage['secrets']>[number]): string {
  const { field, source, host, origin, version, elapsedMs } = secret
  const which = version === null ? '' : `, version ${version}`
  return `${field} ${origin} from ${source} at ${host}${which}, ${Math.round(elapsedMs)} ms`
}

/** The parts of a detail that a person wants to see at once. */
function detailText(detail: ConnectionStage['detail']): string {
  if (detail === undefined) return ''
  const parts = ['token', 'protocol', 'subject', 'notAfter', 'hostKey'].flatMap((name) => {
    const value = detail[name]
    if (typeof value !== 'string') return []
    return name === 'notAfter' ? [`until ${value.slice(0, 10)}`] : [value]
  })
  return parts.join(', ')
}
