import type { SuiteName } from './own-suites.ts'

/** Text that may differ between the two ways, and why. */
export interface ExplainedDifference {
  readonly suite: SuiteName
  /** Name of the one test in which it may. */
  readonly test: string
  readonly pattern: RegExp
  readonly instead: string
  readonly because: string
}

/** Everything else is compared byte by byte. A row here is a promise about what the gateway may change, so each has a reason. */
export const explainedDifferences: readonly ExplainedDifference[] = []

/**
 * Results that none of Postgres' own expectation files allows, on either way, and why. Without this list two ways that break
 * in the same manner would be taken for equal ones.
 */
export const explainedFailures: readonly Pick<ExplainedDifference, 'suite' | 'test' | 'because'>[] = [
  {
    suite: 'regress',
    test: 'sequence',
    because:
      'Postgres expects the superuser who made the cluster, who owns the catalog tables too; ' +
      'a bound Postgres role is never that one, so one refusal names another reason',
  },
  {
    suite: 'isolation',
    test: 'temp-schema-cleanup',
    because: 'libpq has other words for a session that the server ends when it has TLS, and both ways have it',
  },
]
