import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { runLibpqProgram } from '../../test/support/psql.ts'
import type { Load } from '../interleaved.ts'
import type { Way } from '../way.ts'

/** One primary key read by a prepared statement: the smallest useful message each way. */
export function selects(clients: number): (way: Way, seconds: number) => Promise<Load> {
  return (way, seconds) => pgbench(way, seconds, ['-n', '-S', '-M', 'prepared', ...parallel(clients)])
}

/** pgbench's own transaction: seven messages with small answers. */
export function tpcb(clients: number): (way: Way, seconds: number) => Promise<Load> {
  return (way, seconds) => pgbench(way, seconds, ['-n', '-M', 'prepared', ...parallel(clients)])
}

/** A new session for each `select 1`. */
export function logins(clients: number): (way: Way, seconds: number) => Promise<Load> {
  const script = join(tmpdir(), `postern-bench-login-${process.pid}.sql`)
  return (way, seconds) => {
    writeFileSync(script, 'select 1;\n')
    return pgbench(way, seconds, ['-n', '-C', '-f', script, ...parallel(clients)])
  }
}

function parallel(clients: number): string[] {
  return ['-c', String(clients), '-j', String(Math.min(2, clients))]
}

async function pgbench(way: Way, seconds: number, args: readonly string[]): Promise<Load> {
  const startedAt = performance.now()
  const timeoutMs = (seconds + 60) * 1000
  const run = await runLibpqProgram('pgbench', way.target, [...args, '-T', String(seconds)], { timeoutMs })
  const units = Number(/^number of transactions actually processed: (\d+)/m.exec(run.stdout)?.[1])
  if (run.code !== 0 || !(units > 0)) throw new Error(`pgbench through ${way.name}:\n${run.stdout}${run.stderr}`)
  const tps = Number(/^tps = ([\d.]+)/m.exec(run.stdout)?.[1])
  return { units, seconds: tps > 0 ? units / tps : (performance.now() - startedAt) / 1000 }
}
