import type { SyncProblem, SyncProgress } from '../store/sync-runs.ts'

/** Problems that a run keeps; of the others it keeps the number. */
const PROBLEMS_MAX = 100

/** What a run has done so far; read from time to time by whoever writes its progress. */
export class SyncTally {
  databasesTotal: number | null = null
  databasesDone = 0
  schemasDone = 0
  tablesDone = 0
  problemCount = 0
  readonly #problems: SyncProblem[] = []

  problem(problem: SyncProblem): void {
    this.problemCount += 1
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem)
  }

  progress(): SyncProgress {
    const { databasesTotal, databasesDone, schemasDone, tablesDone, problemCount } = this
    return { databasesTotal, databasesDone, schemasDone, tablesDone, problemCount, problems: [...this.#problems] }
  }
}
