// The static checks: what a machine can say about the tree without running it. `npm run check` runs all of them,
// `npm run check -- types lint` the named ones. Each prints its time; a check that fails prints all it said.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from './run-command.ts'
import { addTallies, closeWith, duration, emptyTally, type Tally } from './tally.ts'

interface Check {
  readonly name: string
  readonly command: readonly string[]
}

const root = join(import.meta.dirname, '..')
const bin = (name: string) => join(root, 'node_modules/.bin', name)
const checkTimeoutMs = 5 * 60_000

const checks: readonly Check[] = [
  { name: 'types', command: [bin('tsc'), '-p', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings', '--format=unix'] },
  {
    name: 'imports',
    command: [bin('depcruise'), '--config', '.dependency-cruiser.cjs', 'src', 'test', 'tools', 'bench', 'packages'],
  },
  { name: 'unused', command: [bin('knip'), '--treat-config-hints-as-errors'] },
  { name: 'format', command: [bin('prettier'), '--check', '--log-level', 'warn', '.'] },
  ...generators().map((file) => ({ name: `generated (${file})`, command: [bin('bun'), `tools/${file}`, '--check'] })),
]

/** Every tools/generate-*.ts rewrites files of the tree, and with `--check` only says whether they are up to date. */
function generators(): string[] {
  return readdirSync(join(root, 'tools'))
    .filter((file) => /^generate-.*\.ts$/.test(file))
    .toSorted()
}

async function runCheck(check: Check): Promise<Tally> {
  const [command = '', ...args] = check.command
  const result = await runCommand(command, args, { timeoutMs: checkTimeoutMs })
  const passed = result.code === 0
  console.log(`${passed ? 'ok    ' : 'FAILED'}  ${check.name.padEnd(40)} ${duration(result.elapsedMs)}`)
  if (passed) return { ...emptyTally, passed: 1 }
  console.log(result.output.trimEnd().replaceAll(/^/gm, '        '))
  if (result.timedOut) console.log(`        ended after ${duration(checkTimeoutMs)}`)
  return { ...emptyTally, failed: 1, failures: [`check ${check.name}`] }
}

process.chdir(root)
const wanted = process.argv.slice(2)
const chosen = checks.filter((check) => wanted.length === 0 || wanted.includes(check.name.split(' ')[0] ?? ''))
let total = emptyTally
for (const check of chosen) total = addTallies(total, await runCheck(check))
closeWith(total)
