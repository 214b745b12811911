import { spawn } from 'node:child_process'
import { rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { libpqEnvironment } from '../../test/support/psql.ts'
import { requireTool } from '../../test/support/requirements.ts'
import type { Load } from '../interleaved.ts'
import type { Way } from '../way.ts'

const bytesPerMb = 1e6
/** The upstream's table `wide` as COPY text: 200,000 rows of 1 KB. */
const file = join(tmpdir(), `postern-bench-copy-${process.pid}.txt`)

/** Copies of one measurement: what CPU time is counted in is 10 ms. */
const copies = 3

/** Writes the file for {@link copyIn}, so that no measurement does, and says its size. */
export async function prepareCopy(way: Way): Promise<void> {
  await psql(way, 'copy wide to stdout', '/dev/null', file)
}

/** The whole table to /dev/null by psql, a few times. */
export async function copyOut(way: Way): Promise<Load> {
  return repeated(() => psql(way, 'copy wide to stdout', '/dev/null', '/dev/null'))
}

/** The same bytes from a file into an unlogged table, which is emptied before. */
export async function copyIn(way: Way): Promise<Load> {
  return repeated(() => psql(way, 'truncate landing; copy landing from stdin', file, '/dev/null'))
}

export function removeCopyFile(): void {
  rmSync(file, { force: true })
}

async function repeated(copy: () => Promise<number>): Promise<Load> {
  let seconds = 0
  for (let done = 0; done < copies; done++) seconds += await copy()
  return { units: (copies * statSync(file).size) / bytesPerMb, seconds }
}

async function psql(way: Way, sql: string, input: string, output: string): Promise<number> {
  const [stdin, stdout] = await Promise.all([open(input, 'r'), open(output, 'w')])
  const startedAt = performance.now()
  const child = spawn(requireTool('psql'), ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', ...commands(sql)], {
    env: { PATH: process.env['PATH'], ...libpqEnvironment(way.target) },
    stdio: [stdin.fd, stdout.fd, 'inherit'],
  })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  const seconds = (performance.now() - startedAt) / 1000
  await Promise.all([stdin.close(), stdout.close()])
  if (code !== 0) throw new Error(`psql through ${way.name} ended with ${String(code)}: ${sql}`)
  return seconds
}

/** COPY from stdin has to be a statement of its own. */
function commands(sql: string): string[] {
  return sql.split('; ').flatMap((statement) => ['--command', statement])
}
