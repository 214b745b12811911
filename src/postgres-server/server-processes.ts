import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** One step on the way to the end of a process: a signal, and how long it is given to take effect. */
export interface EndStep {
  readonly signal: NodeJS.Signals
  readonly waitMs: number
}

/**
 * The Postgres processes that work in one data folder, whoever started them. A server's working directory is its data folder,
 * and so is that of each of its processes, which lead process groups of their own: no signal to the server reaches them.
 * Without /proc none are found, and Postgres' own check of its pid file decides.
 */
export class ServerProcesses {
  readonly #device: bigint
  readonly #inode: bigint

  constructor(data: string) {
    const { dev, ino } = statSync(data, { bigint: true })
    this.#device = dev
    this.#inode = ino
  }

  /** Never true of a process that merely got the same pid. */
  worksHere(pid: number): boolean {
    try {
      const { dev, ino } = statSync(`/proc/${pid}/cwd`, { bigint: true })
      return dev === this.#device && ino === this.#inode
    } catch {
      // Gone, or not ours to look at: in both cases not our server.
      return false
    }
  }

  all(): number[] {
    if (!existsSync('/proc/self')) return []
    const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
    return pids.filter((pid) => isPostgres(pid) && this.worksHere(pid))
  }

  /** @returns whether they are gone; never takes longer than the steps together */
  async end(pids: readonly number[], steps: readonly EndStep[]): Promise<boolean> {
    for (const { signal, waitMs } of steps) {
      for (const pid of pids) if (this.worksHere(pid)) send(pid, signal)
      const deadline = Date.now() + waitMs
      while (Date.now() < deadline) {
        if (!pids.some((pid) => this.worksHere(pid))) return true
        await sleep(20)
      }
    }
    return false
  }
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
