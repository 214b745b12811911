import { PosternError } from '../base/errors.ts'
import type { ExecuteSqlInput } from '../contract/sql.ts'
import type { SqlLimits } from './sql-dependencies.ts'

/** What one statement may take. */
export interface StatementLimits {
  readonly maxRows: number
  readonly maxBytes: number
  readonly timeoutSeconds: number
}

/**
 * The limits of a statement: what was asked for, else the defaults of the deployment.
 * @throws PosternError INVALID_ARGUMENT for more than the deployment gives; nothing is lowered silently
 */
export function resolveLimits(limits: SqlLimits, asked: ExecuteSqlInput['limits']): StatementLimits {
  const pick = (field: keyof StatementLimits, standard: number, most: number): number => {
    const wanted = asked?.[field]
    if (wanted === undefined) return Math.min(standard, most)
    if (wanted <= most) return wanted
    throw new PosternError('INVALID_ARGUMENT', `limits.${field}: ${wanted} is above the maximum, ${most}`, {
      hint: 'Ask for less, or have the operator raise the maximum.',
      detail: { field: `limits.${field}` },
    })
  }
  return {
    maxRows: pick('maxRows', limits.defaultRows, limits.maxRows),
    maxBytes: pick('maxBytes', limits.defaultBytes, limits.maxBytes),
    timeoutSeconds: pick('timeoutSeconds', limits.defaultTimeoutSeconds, limits.maxTimeoutSeconds),
  }
}
