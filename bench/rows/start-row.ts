import { rmSync } from 'node:fs'
import { startPostern, temporaryFolder } from '../../test/support/running-postern.ts'
import type { Effort } from '../effort.ts'
import { type Spread, spreadOf } from '../spread.ts'

export interface StartFigures {
  /** From the launcher's start to the ready file. */
  readonly firstStartMs: Spread
  readonly laterStartMs: Spread
}

/** `postern serve` on a new data folder, and again on the same one. */
export async function start(_stage: unknown, { rounds }: Effort): Promise<StartFigures> {
  const [first, later]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const dataDir = temporaryFolder('postern-bench-data-')
    try {
      first.push(await startOnce(dataDir))
      later.push(await startOnce(dataDir))
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
  return { firstStartMs: spreadOf(first), laterStartMs: spreadOf(later) }
}

async function startOnce(dataDir: string): Promise<number> {
  const startedAt = performance.now()
  const postern = await startPostern({ dataDir })
  const took = performance.now() - startedAt
  await postern.stop()
  return took
}
