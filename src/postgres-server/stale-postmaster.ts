import { type BigIntStats, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PosternError } from '../base/errors.ts'

const STOP_STEPS = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
] as const

/**
 * Ends a server that still runs in this data folder because its supervisor was killed, and removes its pid file. Never ends
 * a process that merely got the same pid: a server's working directory is its data folder, and that is checked.
 * @throws PosternError LOCAL_POSTGRES_FAILED when it cannot be ended
 */
export async function clearStalePostmaster(data: string): Promise<void> {
  const pidFile = join(data, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  const folder = statSync(data, { bigint: true })
  if (Number.isInteger(pid) && pid > 1 && runsIn(pid, folder)) await stop([pid], folder)
  // A killed postmaster can leave backends behind; they hold its shared memory, and Postgres would refuse to start.
  const orphans = everyProcess().filter((candidate) => isPostgres(candidate) && runsIn(candidate, folder))
  if (orphans.length > 0) await stop(orphans, folder)
  rmSync(pidFile, { force: true })
}

async function stop(pids: readonly number[], folder: BigIntStats): Promise<void> {
  for (const { signal, waitMs } of STOP_STEPS) {
    for (const pid of pids) if (runsIn(pid, folder)) send(pid, signal)
    const deadline = Date.now() + waitMs
    while (Date.now() < deadline) {
      if (!pids.some((pid) => runsIn(pid, folder))) return
      await sleep(20)
    }
  }
  throw new PosternError(
    'LOCAL_POSTGRES_FAILED',
    `A Postgres server (pid ${pids[0]}) still runs in this data folder and cannot be ended.`,
  )
}

function runsIn(pid: number, folder: BigIntStats): boolean {
  try {
    const cwd = statSync(`/proc/${pid}/cwd`, { bigint: true })
    return cwd.dev === folder.dev && cwd.ino === folder.ino
  } catch {
    // Gone, or not ours to look at: in both cases not our server. Without /proc Postgres' own check of the pid file decides.
    return false
  }
}

function everyProcess(): number[] {
  if (!existsSync('/proc/self')) return []
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

function isPostgres(pid: number): boolean {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('postgres')
  } catch {
    return false
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
