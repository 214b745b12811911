import { spawn } from 'node:child_process'
import { rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { libpqEnvironment } from '../../test/support/psql.ts'
import { requireTool } from '../../test/support/requirements.ts'
import { startChildProgram } from '../child-program.ts'
import type { Effort } from '../effort.ts'
import { type Ends, interleave, type InterleavedFigures, type Load } from '../interleaved.ts'
import { cpuMsOfChildren, cpuMsOfEndedChildren } from '../process-accounting.ts'
import type { Stage } from '../stage.ts'
import type { Way } from '../way.ts'

/** `wide` has rows of 1 KB, pgbench's own table rows of 100 bytes. Both are about 200 MB. */
type Table = 'wide' | 'pgbench_accounts'
/** psql looks at every row; the raw reader throws away what comes, so that it is never what limits. */
type Reader = 'psql' | 'raw'

const bytesPerMb = 1e6
/** Copies of one measurement: what CPU time is counted in is 10 ms. */
const copies = 3

/** The whole table to nowhere, a few times; also over the upstream's Unix socket, which nothing in between can surpass. */
export function copyOut(table: Table, reader: Reader) {
  return async (stage: Stage, { rounds }: Effort): Promise<InterleavedFigures> => {
    const file = await tableAsFile(stage, table)
    const bytes = statSync(file).size
    rmSync(file)
    const sql = `copy ${table} to stdout`
    const read = (way: Way) => (reader === 'psql' ? psql(way, sql, '/dev/null', '/dev/null') : readRaw(way, sql))
    return await interleave(
      'MB',
      rounds,
      [...stage.ways, stage.unix],
      (way) => repeated(bytes, () => read(way)),
      endsOf(stage),
    )
  }
}

/** From a file into an unlogged table, which is emptied before: rows of 1 KB. */
export async function copyIn(stage: Stage, { rounds }: Effort): Promise<InterleavedFigures> {
  const file = await tableAsFile(stage, 'wide')
  try {
    const write = (way: Way) => psql(way, 'truncate landing; copy landing from stdin', file, '/dev/null')
    const bytes = statSync(file).size
    return await interleave('MB', rounds, stage.ways, (way) => repeated(bytes, () => write(way)), endsOf(stage))
  } finally {
    rmSync(file, { force: true })
  }
}

function endsOf(stage: Stage): Ends {
  return { client: () => cpuMsOfEndedChildren(process.pid), server: () => cpuMsOfChildren(stage.upstreamPid) }
}

async function tableAsFile(stage: Stage, table: Table): Promise<string> {
  const file = join(tmpdir(), `postern-bench-copy-${process.pid}.txt`)
  await psql(stage.unix, `copy ${table} to stdout`, '/dev/null', file)
  return file
}

async function repeated(bytes: number, copy: () => Promise<number>): Promise<Load> {
  let seconds = 0
  for (let done = 0; done < copies; done++) seconds += await copy()
  return { units: (copies * bytes) / bytesPerMb, seconds }
}

/** @returns seconds, psql's start and login included */
async function psql(way: Way, sql: string, input: string, output: string): Promise<number> {
  const [stdin, stdout] = await Promise.all([open(input, 'r'), open(output, 'w')])
  const startedAt = performance.now()
  const child = spawn(requireTool('psql'), ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', ...commands(sql)], {
    env: { PATH: process.env['PATH'], ...environment(way) },
    stdio: [stdin.fd, stdout.fd, 'inherit'],
  })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  const seconds = (performance.now() - startedAt) / 1000
  await Promise.all([stdin.close(), stdout.close()])
  if (code !== 0) throw new Error(`psql through ${way.name} ended with ${String(code)}: ${sql}`)
  return seconds
}

/** libpq takes a folder for the host only where no address is given. */
function environment(way: Way): Record<string, string> {
  const { PGHOSTADDR: address, ...others } = libpqEnvironment(way.target)
  return address === undefined || way.name === 'unix' ? others : { ...others, PGHOSTADDR: address }
}

/** @returns seconds of the statement alone */
async function readRaw({ name, target }: Way, sql: string): Promise<number> {
  const { host, port, user, password = '', database } = target
  const socketPath = name === 'unix' ? join(host, `.s.PGSQL.${port}`) : undefined
  const options = { host, port, user, password, database, sql, socketPath }
  const reader = await startChildProgram('raw-reader.ts', options)
  await reader.stop()
  return Number(reader.line.split(' ')[1])
}

/** COPY from stdin has to be a statement of its own. */
function commands(sql: string): string[] {
  return sql.split('; ').flatMap((statement) => ['--command', statement])
}
