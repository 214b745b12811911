import type { ConnectionReport } from '../../contract/connection-reports.ts'
import type { Cli } from '../cli.ts'
import { printable } from '../printable.ts'
import { showStatements } from './show-statements.ts'

/**
 * Shows what the test of a change wants to be known though it was good, after what was stored: warnings to the person, and
 * statements to copy. Programs find it in the answer.
 */
export function showTestRemarks(cli: Cli, report: ConnectionReport | undefined): void {
  if (report === undefined || cli.output === 'json') return
  const reports = [report, ...(report.readOnlyDataSources ?? [])]
  const of = (name: string) => (reports.length === 1 ? '' : ` (data source ${printable(name)})`)
  for (const { dataSource, warnings, missingPrivileges } of reports) {
    for (const warning of warnings) cli.terminal.note(`Warning${of(dataSource)}: ${printable(warning)}`)
    showStatements(cli, `\nAn administrator of the database should run${of(dataSource)}:`, missingPrivileges)
  }
}
