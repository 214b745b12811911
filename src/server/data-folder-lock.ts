import { linkSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { PosternError } from '../base/errors.ts'
import { processIdentity } from './process-identity.ts'

interface Holder {
  readonly pid: number
  readonly identity: string
}

const STALE_GUARD_MS = 10_000

/**
 * Takes the data folder for this process: two supervisors on one folder would run two Postgres servers on one cluster.
 *
 * The lock is a file that names its holder by pid and start time, put in place by `link`, which fails if there is one. What
 * a killed holder left behind is removed under a guard (`mkdir`, which only one can win) after reading it again, so that two
 * that find it at the same moment cannot remove each other's new lock.
 * @returns gives the lock back
 * @throws PosternError DATA_FOLDER_UNUSABLE naming the holder
 */
export async function lockDataFolder(lockFile: string, folder: string): Promise<() => void> {
  const own: Holder = { pid: process.pid, identity: processIdentity(process.pid) ?? '' }
  const draft = `${lockFile}.${process.pid}`
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 })
  try {
    for (;;) {
      if (isPutInPlace(draft, lockFile)) return () => release(lockFile, own)
      const holder = readHolder(lockFile)
      if (holder && isAlive(holder)) throw held(folder, holder)
      await removeStale(lockFile)
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

function isPutInPlace(draft: string, lockFile: string): boolean {
  try {
    linkSync(draft, lockFile)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function removeStale(lockFile: string): Promise<void> {
  const guard = `${lockFile}.guard`
  try {
    mkdirSync(guard)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    if (ageMs(guard) > STALE_GUARD_MS) rmSync(guard, { recursive: true, force: true })
    await sleep(20)
    return
  }
  try {
    const holder = readHolder(lockFile)
    if (!holder || !isAlive(holder)) rmSync(lockFile, { force: true })
  } finally {
    rmdirSync(guard)
  }
}

function release(lockFile: string, own: Holder): void {
  const holder = readHolder(lockFile)
  if (holder?.pid === own.pid && holder.identity === own.identity) rmSync(lockFile, { force: true })
}

function isAlive(holder: Holder): boolean {
  return processIdentity(holder.pid) === holder.identity
}

function readHolder(lockFile: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')) as Holder
  } catch {
    // Gone, or not a lock of ours.
    return undefined
  }
}

function ageMs(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch {
    return 0
  }
}

function held(folder: string, holder: Holder): PosternError {
  return new PosternError(
    'DATA_FOLDER_UNUSABLE',
    `The data folder ${folder} is in use by another Postern: process ${holder.pid}.`,
    { hint: `Stop it (kill ${holder.pid}), or choose another folder with --data-dir.` },
  )
}
