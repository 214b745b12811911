import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { recordedTerminal } from '../../test/support/recorded-terminal.ts'
import type { Cli } from './cli.ts'
import { runPsql } from './run-psql.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-psql-'))
})
afterEach(() => rm(folder, { recursive: true }))

function cliWith(environment: Record<string, string>): Cli {
  const { terminal } = recordedTerminal()
  return {
    terminal,
    environment,
    clock: { now: () => new Date() },
    output: 'table',
    host: 'localhost',
    caFile: undefined,
    profile: undefined,
  }
}

/** Puts a program called psql on the PATH. */
async function psqlThat(script: string): Promise<Record<string, string>> {
  await writeFile(join(folder, 'psql'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return { PATH: `${folder}:/usr/bin:/bin`, OUT: join(folder, 'out') }
}

describe('psql', () => {
  test('gets the credential by its environment, and no setting of ours that would lead it elsewhere', async () => {
    const environment = await psqlThat('env > "$OUT"; echo "arguments: $*" >> "$OUT"')
    const cli = cliWith({ ...environment, PGHOSTADDR: '192.0.2.1', PGSERVICE: 'other', POSTERN_CLIENT_SECRET: 'hush' })
    const settings = {
      PGHOST: 'sample.postern.localhost',
      PGPASSWORD: 'eyJ.db',
      PGHOSTADDR: undefined,
      PGSSLMODE: 'require',
    }
    expect(await runPsql(cli, ['-c', 'select 1'], settings)).toBe(0)
    const seen = await readFile(join(folder, 'out'), 'utf8')
    expect(seen).toMatch(/^PGPASSWORD=eyJ\.db$/m)
    expect(seen).toMatch(/^arguments: -c select 1$/m)
    expect(seen).not.toMatch(/192\.0\.2\.1|PGSERVICE|hush/)
    expect(cli.environment).not.toHaveProperty('PGPASSWORD')
  })

  test('ends with the status of psql', async () => {
    expect(await runPsql(cliWith(await psqlThat('exit 3')), [], {})).toBe(3)
    expect(await runPsql(cliWith(await psqlThat('kill -TERM $$')), [], {})).toBe(143)
  })

  test('that is not installed is said clearly, with status 127', async () => {
    await expect(runPsql(cliWith({ PATH: folder }), [], {})).rejects.toMatchObject({
      failure: 'missingProgram',
      message: 'psql is not installed, or not on the PATH',
    })
  })
})
