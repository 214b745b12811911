import { readdirSync, readFileSync } from 'node:fs'

/** What the processes of one kind hold at one moment. */
export interface Sample {
  readonly memoryBytes: number
  readonly descriptors: number
  readonly processes: number
}

/** Growth between the first and the last third of a run. */
export interface Trend {
  readonly name: string
  readonly first: Sample
  readonly last: Sample
  readonly isFlat: boolean
}

/** More than this is growth: a share of the first third, and never less than what allocators take and give. */
export const bounds = { share: 0.15, memoryBytes: 24 * 1024 * 1024, descriptors: 12, processes: 6 }

/** Sums over processes; one that has just ended counts as nothing. Memory is proportional: shared pages are counted once. */
export function sample(pids: readonly number[]): Sample {
  const all = pids.map((pid) => ({ memoryBytes: memoryOf(pid), descriptors: descriptorsOf(pid) }))
  return {
    memoryBytes: sum(all.map(({ memoryBytes }) => memoryBytes)),
    descriptors: sum(all.map(({ descriptors }) => descriptors)),
    processes: all.length,
  }
}

/** Compares the thirds of a series; a warm-up of a tenth is left out. */
export function trend(name: string, series: readonly Sample[]): Trend {
  const warm = series.slice(Math.ceil(series.length / 10))
  const third = Math.max(1, Math.floor(warm.length / 3))
  const first = mean(warm.slice(0, third))
  const last = mean(warm.slice(-third))
  const isFlat = (['memoryBytes', 'descriptors', 'processes'] as const).every(
    (key) => last[key] - first[key] <= Math.max(bounds[key], first[key] * bounds.share),
  )
  return { name, first, last, isFlat }
}

function mean(series: readonly Sample[]): Sample {
  const of = (key: keyof Sample) => sum(series.map((one) => one[key])) / series.length
  return { memoryBytes: of('memoryBytes'), descriptors: of('descriptors'), processes: of('processes') }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

function memoryOf(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0)
    // The shared buffers of a Postgres fill up to a fixed size: that is no growth.
    return (kilobytes('Pss') - kilobytes('Pss_Shmem')) * 1024
  } catch {
    return 0
  }
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}
