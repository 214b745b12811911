import { PosternError } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'

/** Longest user of MariaDB, and longest name of a database. MySQL itself takes 32 characters for a user. */
const MAX_CHARACTERS = { username: 128, database: 64 } as const

/**
 * Checks what only the MySQL family knows of a route; the rest is `checkCapabilities`.
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkMysqlRoute(route: DataSourceRoute): void {
  for (const field of ['database', 'username'] as const) {
    if (route[field].length > MAX_CHARACTERS[field]) {
      throw new PosternError('INVALID_ARGUMENT', `${field} must be at most ${MAX_CHARACTERS[field]} characters`, {
        detail: { field },
      })
    }
  }
}
