import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from '../../support/running-program.ts'
import type { PostgresTests } from './source-package.ts'

/** One of the suites that come with the source of Postgres. */
export type SuiteName = 'regress' | 'isolation'

/** What one run of a suite left. */
export interface SuiteRun {
  /** By the name of the test: everything that the client printed. */
  readonly results: ReadonlyMap<string, string>
  /** Tests whose output Postgres' own expectation files allow. */
  readonly asExpected: ReadonlySet<string>
  readonly seconds: number
}

const suiteLimitMs = 14 * 60_000

/** Database of each suite, as Postgres' makefiles call them. */
export const suiteDatabases: Readonly<Record<SuiteName, string>> = {
  regress: 'regression',
  isolation: 'isolation_regression',
}

/**
 * Runs all tests of a suite by the program that Postgres has for it, in a database that exists, in the parallel groups of its
 * schedule.
 *
 * @param home folder for everything that this suite reads and writes; the server's user reads and writes there too
 * @param way names the folder in which the results are left
 */
export async function runSuite(
  suite: SuiteName,
  way: string,
  options: { tests: PostgresTests; major: string; home: string; env: Readonly<Record<string, string>> },
): Promise<SuiteRun> {
  const { tests, major, home, env } = options
  const installed = join('/usr/lib/postgresql', major)
  const input = join(home, `${suite}-input`)
  const library = join(home, `${suite}-library`)
  // The same path both times: some tests print it.
  const output = join(home, `${suite}-output`)
  cpSync(tests[suite], input, { recursive: true, force: true })
  for (const folder of [library, output, join(output, 'results')]) {
    mkdirSync(folder)
    // The server writes results too, by COPY, and it is another user.
    chmodSync(folder, 0o777)
  }
  cpSync(tests.library, join(library, 'regress.so'))
  for (const name of ['refint.so', 'autoinc.so']) cpSync(join(installed, 'lib', name), join(library, name))
  const programs = { regress: 'regress/pg_regress', isolation: 'isolation/pg_isolation_regress' }
  const schedules = { regress: 'parallel_schedule', isolation: 'isolation_schedule' }
  const startedAt = Date.now()
  const { stdout, stderr } = await runProgram(
    join(installed, 'lib/pgxs/src/test', programs[suite]),
    [
      '--use-existing',
      `--dbname=${suiteDatabases[suite]}`,
      `--inputdir=${input}`,
      `--outputdir=${output}`,
      `--bindir=${join(installed, 'bin')}`,
      `--dlpath=${library}`,
      '--max-concurrent-tests=20',
      `--schedule=${join(input, schedules[suite])}`,
    ],
    { env, cwd: output, timeoutMs: suiteLimitMs },
  )
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  const kept = join(home, `${suite}-${way}`)
  renameSync(output, kept)
  renameSync(library, `${kept}-library`)
  const verdicts = [...stdout.matchAll(/^(?:test)?\s+(\S+)\s+\.\.\. (ok|FAILED|failed)/gm)]
  if (verdicts.length === 0) throw new Error(`the suite ${suite} did not run:\n${stdout}\n${stderr}`)
  const names = verdicts.map(([, name]) => name as string)
  const written = new Set(readdirSync(join(kept, 'results')))
  return {
    results: new Map(
      names.map((name) => {
        const file = `${name}.out`
        return [name, written.has(file) ? readFileSync(join(kept, 'results', file), 'latin1') : '(no result)']
      }),
    ),
    asExpected: new Set(verdicts.filter(([, , verdict]) => verdict === 'ok').map(([, name]) => name as string)),
    seconds,
  }
}
