// Everything that must hold before a change is accepted: the static checks and all test suites, none skipped. It is what
// CI runs. Sums both parts and ends with the line `N passed, N failed`.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from './run-command.ts'
import { addTallies, closeWith, duration, emptyTally, type Tally } from './tally.ts'

const verifyTimeoutMs = 18 * 60_000
const scratch = mkdtempSync(join(tmpdir(), 'postern-verify-'))

async function runScript(script: string): Promise<Tally> {
  console.log(`\n━━ npm run ${script}`)
  const file = join(scratch, `${script}.json`)
  const env = { ...process.env, POSTERN_REQUIRE_ALL: '1', POSTERN_TALLY_FILE: file }
  const result = await runCommand('npm', ['run', '--silent', script], { timeoutMs: verifyTimeoutMs, show: true, env })
  console.log(`━━ npm run ${script}: ${duration(result.elapsedMs)}`)
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Tally
  const ending = result.timedOut ? `took more than ${duration(verifyTimeoutMs)}` : `ended with code ${result.code}`
  return { ...emptyTally, failed: 1, failures: [`npm run ${script} ${ending} before it had a result`] }
}

try {
  const checks = await runScript('check')
  const tests = await runScript('test')
  closeWith(addTallies(checks, tests))
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
