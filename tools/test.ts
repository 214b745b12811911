// Runs the test suites: `npm test` all of them, `npm test -- wire` the named ones, `npm test -- unit src/pgwire` some files.
// Each suite is one run of vitest under the pinned Bun, bounded in time. After each, no process of it may be left. The
// closing line counts single tests. With CI=true or POSTERN_REQUIRE_ALL=1 a skipped test is a failure.

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { leftoverProcesses } from './leftover-processes.ts'
import { runCommand } from './run-command.ts'
import { addTallies, closeWith, duration, emptyTally, type Tally } from './tally.ts'

interface Suite {
  readonly name: string
  readonly timeoutMs: number
}

/** The part of vitest's JSON report that is read here. */
interface VitestReport {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

const root = join(import.meta.dirname, '..')
const suites: readonly Suite[] = [
  { name: 'unit', timeoutMs: 8 * 60_000 },
  { name: 'architecture', timeoutMs: 3 * 60_000 },
  { name: 'wire', timeoutMs: 6 * 60_000 },
  { name: 'clients', timeoutMs: 5 * 60_000 },
  { name: 'regress', timeoutMs: 5 * 60_000 },
  { name: 'engines', timeoutMs: 8 * 60_000 },
  { name: 'journeys', timeoutMs: 8 * 60_000 },
  { name: 'acceptance', timeoutMs: 5 * 60_000 },
  { name: 'faults', timeoutMs: 10 * 60_000 },
]
const everythingRequired = process.env['CI'] === 'true' || process.env['POSTERN_REQUIRE_ALL'] === '1'

async function runSuite(suite: Suite, files: readonly string[]): Promise<Tally> {
  console.log(`\n── ${suite.name}`)
  const folder = runFolder()
  const reportFile = join(folder, 'report.json')
  const mark = `POSTERN_TEST_RUN=${folder}`
  const env = {
    ...process.env,
    TMPDIR: folder,
    POSTERN_TEST_RUN: folder,
    NO_COLOR: process.stdout.isTTY ? undefined : '1',
  }
  const vitest = ['--bun', 'node_modules/.bin/vitest', 'run', '--project', suite.name, '--passWithNoTests']
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
  try {
    const args = [...vitest, ...reporters, ...files]
    const result = await runCommand('node_modules/.bin/bun', args, { timeoutMs: suite.timeoutMs, show: true, env })
    const tally = readReport(suite, reportFile)
    const found: string[] = []
    if (result.timedOut) found.push(`${suite.name}: ended after ${duration(suite.timeoutMs)}`)
    else if (result.code !== 0 && tally.failed === 0) found.push(`${suite.name}: vitest ended with code ${result.code}`)
    if (files.length === 0 && tally.passed + tally.failed === 0) found.push(`${suite.name}: no test ran`)
    found.push(...(await endLeftovers(mark, folder)).map((left) => `${suite.name}: left running: ${left}`))
    console.log(`── ${suite.name}: ${tally.passed} passed, ${tally.failed} failed, ${duration(result.elapsedMs)}`)
    return addTallies(tally, { ...emptyTally, failed: found.length, failures: found })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All temporary files of a run. Other users may enter: Postgres servers that root starts run as another user. */
function runFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pt-'))
  chmodSync(folder, 0o755)
  return folder
}

function readReport(suite: Suite, file: string): Tally {
  if (!existsSync(file)) return { ...emptyTally, failed: 1, failures: [`${suite.name}: vitest wrote no report`] }
  const report = JSON.parse(readFileSync(file, 'utf8')) as VitestReport
  let tally = emptyTally
  for (const { name, status, message, assertionResults } of report.testResults) {
    const where = `${suite.name}: ${relative(root, name)}`
    const broken = status === 'failed' && assertionResults.every((test) => test.status !== 'failed')
    if (broken) tally = addTallies(tally, failure(`${where}: ${firstLine(message) || 'a hook failed, see above'}`))
    for (const test of assertionResults) {
      const title = `${where} › ${test.fullName}`
      if (test.status === 'passed') tally = addTallies(tally, { ...emptyTally, passed: 1 })
      else if (test.status === 'failed')
        tally = addTallies(tally, failure(`${title}: ${firstLine(test.failureMessages[0])}`))
      else tally = addTallies(tally, skip(title))
    }
  }
  return tally
}

function failure(text: string): Tally {
  return { ...emptyTally, failed: 1, failures: [text] }
}

/** What no package brings: its tests run where a machine has it, and say where it has not. */
const unobtainable = /\(skipped: (?:spanner-emulator|moto_server) not installed\)/

function skip(title: string): Tally {
  if (unobtainable.test(title)) {
    console.log(`skipped  ${title}`)
    return emptyTally
  }
  if (everythingRequired) return failure(`${title}: skipped, though every test is required`)
  console.log(`skipped  ${title}`)
  return { ...emptyTally, skipped: 1 }
}

function firstLine(text: string | undefined): string {
  return (text?.split('\n')[0] ?? '').slice(0, 160)
}

/** What the suite left running, killed. A process that is about to end by itself gets two seconds. */
async function endLeftovers(mark: string, folder: string): Promise<string[]> {
  const graceEndsAt = performance.now() + 2000
  while (leftoverProcesses(mark, folder).length > 0 && performance.now() < graceEndsAt) await sleep(100)
  const leftovers = leftoverProcesses(mark, folder)
  for (const { pid } of leftovers) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // ESRCH: it has ended meanwhile.
    }
  }
  return leftovers.map(({ pid, command }) => `${pid} ${command.slice(0, 120)}`)
}

process.chdir(root)
const wanted = process.argv.slice(2)
const named = suites.filter((suite) => wanted.includes(suite.name))
const files = wanted.filter((argument) => !suites.some((suite) => suite.name === argument))
let total = emptyTally
for (const suite of named.length > 0 ? named : suites) total = addTallies(total, await runSuite(suite, files))
closeWith(total)
