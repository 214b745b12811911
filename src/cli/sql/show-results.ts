import type { SqlEvent } from '../../contract/sql.ts'

/** Shows what a statement answers, event by event. */
export interface ShowResults {
  take(event: SqlEvent): void
  /** After the last event. */
  finish(): void
}
