import { mkdir, open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CliError } from './cli-error.ts'

/** Longer than a request to the control plane may take: who has held a lock for longer is no more. */
const staleMs = 45_000
/** A second lock is held for the moment of one look and one removal. */
const staleTakeoverMs = 5_000
const retryMs = 50

/**
 * Runs `work` while no other process of this machine does so under the same file.
 * A lock that its holder left behind is taken over after 45 seconds.
 * @throws CliError limit when others held it for two minutes
 */
export async function withFileLock<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const deadline = performance.now() + 120_000
  while (!(await create(file))) {
    await removeStale(file)
    if (performance.now() > deadline) {
      throw new CliError('limit', `another postern has held ${file} for two minutes`, {
        hint: 'End it, or remove the file.',
      })
    }
    await sleep(retryMs * (0.5 + Math.random()))
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

async function create(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600)
    await handle.close()
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw thrown
  }
}

/** Looks again under a lock of its own: of two who found the same stale file, the slower must not remove the lock of the faster. */
async function removeStale(file: string): Promise<void> {
  if (!(await isOlder(file, staleMs))) return
  const takeover = `${file}.takeover`
  if (!(await create(takeover))) {
    if (await isOlder(takeover, staleTakeoverMs)) await rm(takeover, { force: true })
    return
  }
  try {
    if (await isOlder(file, staleMs)) await rm(file, { force: true })
  } finally {
    await rm(takeover, { force: true })
  }
}

async function isOlder(file: string, ageMs: number): Promise<boolean> {
  const found = await stat(file).catch(() => undefined) // gone meanwhile
  return found !== undefined && Date.now() - found.mtimeMs > ageMs
}
