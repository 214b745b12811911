import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { libpqEnvironment } from '../support/psql.ts'
import { describeWith, requireTool } from '../support/requirements.ts'
import { type ProgramEnd, runProgram, type RunningProgram, startProgram } from '../support/running-program.ts'
import { libpqVariants } from './libpq-variants.ts'

const plain = ['--no-psqlrc', '--no-align', '--tuples-only', '--quiet', '--set=ON_ERROR_STOP=1']

describeWith(['psql', 'pgbench'], 'psql and pgbench', () => {
  const gateway = inject('gateway')

  const folder = mkdtempSync(join(tmpdir(), 'pgbench-'))
  const pipeline = join(folder, 'pipeline.sql')
  beforeAll(() => writeFileSync(pipeline, `\\startpipeline\n${'select 1;\n'.repeat(50)}\\endpipeline\n`))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  describe.each(libpqVariants)('with $title', ({ environment }) => {
    const env = (over: Record<string, string> = {}) => ({ ...libpqEnvironment(gateway.libpq), ...environment, ...over })
    const psql = (sql: string, over?: Record<string, string>): Promise<ProgramEnd> =>
      runProgram(requireTool('psql'), [...plain, '-c', sql], { env: env(over) })
    const startPsql = (): RunningProgram =>
      startProgram(requireTool('psql'), plain, { env: env(), keepInputOpen: true })

    test('logs in by SNI, by endpoint option and by database name', async () => {
      const unnamed = { PGHOST: '127.0.0.1', PGSSLMODE: 'verify-ca' }
      for (const way of [
        {},
        { ...unnamed, PGOPTIONS: 'endpoint=sample' },
        { ...unnamed, PGDATABASE: 'sample/postgres' },
      ]) {
        expect(await psql('select current_user', way)).toMatchObject({ code: 0, stdout: `${gateway.user}\n` })
      }
    })

    test('reads an error, a hint and many notices', async () => {
      const error = await psql('\\set VERBOSITY verbose\nselect * from no_such_table')
      expect(error.code).toBe(1)
      const notices = await psql("do $$ begin for i in 1..5000 loop raise notice 'n%', i; end loop; end $$")
      expect(notices.stderr.match(/NOTICE: {2}n\d+/g)).toHaveLength(5000)
    })

    test('cancels a query, a \\watch and a COPY by Ctrl-C, and is of use afterwards', async () => {
      const running = [
        'select pg_sleep(30);',
        "select 'tick' \\watch 0.1",
        '\\copy (select generate_series(1, 1e9)) to /dev/null',
      ]
      for (const sql of running) {
        const session = startProgram(requireTool('psql'), plain.slice(0, 4), { env: env(), keepInputOpen: true })
        session.type(`select 'up';\n${sql}\n`)
        await expect.poll(() => session.stdout(), { timeout: 5000 }).toContain('up')
        await sleep(400)
        session.signal('SIGINT')
        await sleep(100)
        session.type("select 'after';\n\\q\n")
        const end = await session.ended
        if (!sql.includes('watch')) expect(end.stderr).toContain('canceling statement due to user request')
      }
    })

    test('pipelines by pgbench', async () => {
      const args = ['-n', '-M', 'extended', '-c', '2', '-t', '20', '-f', pipeline]
      const run = await runProgram(requireTool('pgbench'), args, { env: env() })
      expect(run).toMatchObject({ code: 0 })
      expect(run.stdout).toContain('number of failed transactions: 0')
    })

    test('carries messages of 10 MB and more both ways', async () => {
      const sql = `select length(repeat('x', 10000000)), md5('${'y'.repeat(10_000_000)}');\nselect repeat('z', 20000000);\n`
      const end = await runProgram(requireTool('psql'), plain, { env: env(), input: sql })
      expect(end).toMatchObject({ code: 0, stderr: '' })
      expect(end.stdout.length).toBeGreaterThan(20_000_000)
    })

    test('is idle, then used; hears NOTIFY', async () => {
      const session = startPsql()
      session.type("listen news;\nselect 'up';\n")
      await expect.poll(() => session.stdout(), { timeout: 5000 }).toContain('up')
      await psql("notify news, 'hello'")
      await sleep(500)
      session.type("select 'later';\n\\q\n")
      const { stdout, code } = await session.ended
      expect(code).toBe(0)
      expect(stdout).toContain('later')
      expect(stdout).toContain('Asynchronous notification "news" with payload "hello" received')
    })
  })

  test('a libpq that is sure of GSS gets no GSS and goes on by TLS', async () => {
    const env = { ...libpqEnvironment(gateway.libpq), PGGSSENCMODE: 'prefer' }
    const end = await runProgram(requireTool('psql'), [...plain, '-c', 'select 1'], { env })
    expect(end).toMatchObject({ code: 0, stdout: '1\n' })
  })
})
