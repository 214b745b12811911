import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { describeWith, JDBC_DRIVER, requireTool } from '../support/requirements.ts'
import { runProgram } from '../support/running-program.ts'

describeWith(['javac', 'jdbc'], 'JDBC', () => {
  const gateway = inject('gateway')
  const folder = mkdtempSync(join(tmpdir(), 'jdbc-'))
  const said = new Map<string, string>()
  beforeAll(async () => {
    const hosts = join(folder, 'hosts')
    writeFileSync(hosts, `${gateway.host} ${gateway.serverName}\n`)
    const end = await runProgram(
      requireTool('java'),
      [`-Djdk.net.hosts.file=${hosts}`, '-cp', JDBC_DRIVER, join(import.meta.dirname, 'JdbcClient.java')],
      {
        env: {
          HOST: gateway.serverName,
          PORT: String(gateway.port),
          DATABASE: gateway.database,
          LOGIN: gateway.user,
          PASSWORD: gateway.credential,
          CA_FILE: gateway.caFile,
        },
        timeoutMs: 60_000,
      },
    )
    expect(end).toMatchObject({ code: 0, stderr: '' })
    for (const line of end.stdout.trim().split('\n')) {
      const at = line.indexOf('=')
      said.set(line.slice(0, at), line.slice(at + 1))
    }
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('logs in by SNI, by database name and by endpoint option; a wrong password is refused', () => {
    expect(said.get('sni')).toBe(gateway.user)
    expect(said.get('database')).toBe(gateway.database)
    expect(said.get('options')).toBe('7s')
    expect(said.get('refused')).toBe('28P01')
  })

  test.each([
    ['passes parameters', 'parameters', '90'],
    ['prepares a statement on the server', 'prepared', '1'],
    ['reads an error with its SQLSTATE', 'error', '42P01'],
    ['reads a NOTICE', 'notice', 'so be it'],
    ['cancels a query', 'cancel', '57014'],
    ['sends a batch as one pipeline', 'batch', '5000'],
    ['copies in', 'copyIn', '20000'],
    ['copies out', 'copyOut', 'true'],
    ['sends and reads a value of 10 MB', 'large', 'true'],
  ])('%s', (_title, name, result) => {
    expect(said.get(name)).toBe(result)
  })
})
