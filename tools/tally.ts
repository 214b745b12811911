// How the tools add up what they ran, and how they tell it: one line an item, the failures again at the end, and a last
// line `N passed, N failed` that stands alone.

import { writeFileSync } from 'node:fs'

/** Result of one run: counts, and a short text for each failure. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly failures: readonly string[]
}

/** Nothing ran. */
export const emptyTally: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] }

/** Both together. */
export function addTallies(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    failures: [...a.failures, ...b.failures],
  }
}

/** `1.2 s`, `340 ms`. */
export function duration(elapsedMs: number): string {
  return elapsedMs < 1000 ? `${elapsedMs.toFixed(0)} ms` : `${(elapsedMs / 1000).toFixed(1)} s`
}

/**
 * Prints the failures and the closing line, and sets the exit code: nothing at all having run is a failure. A part of
 * tools/verify.ts writes its tally to the file that POSTERN_TALLY_FILE names instead; the whole is printed there.
 */
export function closeWith(tally: Tally): void {
  process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0
  const file = process.env['POSTERN_TALLY_FILE']
  if (file !== undefined) {
    writeFileSync(file, JSON.stringify(tally))
    return
  }
  if (tally.failures.length > 0) console.log(`\nFailed:\n${tally.failures.map((text) => `  ${text}`).join('\n')}`)
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''
  console.log(`\n${tally.passed} passed, ${tally.failed} failed${skipped}`)
}
