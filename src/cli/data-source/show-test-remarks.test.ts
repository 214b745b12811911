import { describe, expect, it } from 'vitest'
import { recordedTerminal } from '../../../test/support/recorded-terminal.ts'
import type { ConnectionReport } from '../../contract/connection-reports.ts'
import type { Cli } from '../cli.ts'
import { showTestRemarks } from './show-test-remarks.ts'

const report: ConnectionReport = {
  ok: true,
  dataSource: 'admin',
  stages: [],
  privileges: [],
  missingPrivileges: ['GRANT "pg_monitor" TO "keeper"'],
  warnings: ['the certificate ends\u001b[2J soon'],
  seenAddress: null,
  addressesToAllow: [],
}

function shown(test: ConnectionReport | undefined, output: Cli['output'] = 'table') {
  const recorded = recordedTerminal()
  showTestRemarks({ terminal: recorded.terminal, output } as Cli, test)
  return { notes: recorded.notes(), output: recorded.output() }
}

describe('a change whose test was good', () => {
  it('shows what the test warns of, harmless to the terminal, and the statements to copy', () => {
    const { notes, output } = shown(report)
    expect(notes).toMatch(/^Warning: the certificate ends.+ soon\n$/)
    expect(notes).not.toContain('\u001b')
    expect(output).toBe('\nAn administrator of the database should run:\n  GRANT "pg_monitor" TO "keeper";')
  })

  it('names the data source where it touched several', () => {
    const reader = { ...report, dataSource: 'reader', warnings: ['the user can write'], missingPrivileges: [] }
    const { notes } = shown({ ...report, readOnlyDataSources: [reader] })
    expect(notes).toContain('Warning (data source reader): the user can write\n')
  })

  it('shows nothing to programs, which find it in the answer, and nothing where nothing was tested', () => {
    expect(shown(report, 'json')).toEqual({ notes: '', output: '' })
    expect(shown(undefined)).toEqual({ notes: '', output: '' })
  })
})
