import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PosternError } from '../base/errors.ts'
import { type EndStep, ServerProcesses } from './server-processes.ts'

/** SIGQUIT makes a server kill what hangs of it after 5 seconds, which is better than that we do. */
const STOP_STEPS: readonly EndStep[] = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 6_000 },
  { signal: 'SIGKILL', waitMs: 2_000 },
]
const ORPHAN_STEPS: readonly EndStep[] = [
  { signal: 'SIGQUIT', waitMs: 1_000 },
  { signal: 'SIGKILL', waitMs: 2_000 },
]

/**
 * Ends a server that still runs in this data folder because its supervisor was killed, and removes its pid file. Never ends
 * a process that merely got the same pid.
 * @throws PosternError LOCAL_POSTGRES_FAILED when it cannot be ended
 */
export async function clearStalePostmaster(data: string): Promise<void> {
  const pidFile = join(data, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const processes = new ServerProcesses(data)
  const server = postmasterOf(data)
  if (server !== undefined) await end(processes, [server], STOP_STEPS)
  await endOrphans(processes)
  rmSync(pidFile, { force: true })
}

/**
 * Ends what a server left behind that was killed: backends that hang hold its shared memory, and Postgres would refuse to
 * start. Does nothing while a server runs there.
 * @throws PosternError LOCAL_POSTGRES_FAILED when they cannot be ended
 */
export async function clearOrphans(data: string): Promise<void> {
  if (existsSync(data) && postmasterOf(data) === undefined) await endOrphans(new ServerProcesses(data))
}

function postmasterOf(data: string): number | undefined {
  const pidFile = join(data, 'postmaster.pid')
  if (!existsSync(pidFile)) return undefined
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  return Number.isInteger(pid) && pid > 1 && new ServerProcesses(data).worksHere(pid) ? pid : undefined
}

async function endOrphans(processes: ServerProcesses): Promise<void> {
  const orphans = processes.all()
  if (orphans.length > 0) await end(processes, orphans, ORPHAN_STEPS)
}

async function end(processes: ServerProcesses, pids: readonly number[], steps: readonly EndStep[]): Promise<void> {
  if (await processes.end(pids, steps)) return
  throw new PosternError(
    'LOCAL_POSTGRES_FAILED',
    `A Postgres server (pid ${pids[0]}) still runs in this data folder and cannot be ended.`,
  )
}
