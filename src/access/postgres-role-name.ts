import { PosternError } from '../base/errors.ts'

/** Roles that Postern itself gives a meaning; bound to a person they would carry that meaning. */
const RESERVED = new Set(['databricks_superuser', 'postern_bound', 'postern_admin', 'postern_supervisor'])
const MAX_BYTES = 63

/**
 * Checks the name of a Postgres role that is to be bound.
 *
 * Names are exact: Postgres tells capitals from small letters, and does not see that two ways of writing an accent mean the same.
 * @throws PosternError INVALID_ARGUMENT; a name over 63 bytes is refused, since Postgres would cut it into another role's name
 */
export function checkPostgresRoleName(name: string): void {
  if (name === '' || name.includes('\0') || !name.isWellFormed()) throw invalid('must be text without a zero byte')
  if (name !== name.normalize('NFC')) {
    throw invalid('is not in Unicode normal form C: it would look like another name and be a different one')
  }
  const bytes = Buffer.byteLength(name)
  if (bytes > MAX_BYTES) {
    throw invalid(
      `has ${bytes} bytes; Postgres cuts names after ${MAX_BYTES}, which would name another role. Give a shorter roleName`,
    )
  }
  if (RESERVED.has(name) || name.startsWith('pg_') || name === 'public' || name === 'none') throw invalid('is reserved')
}

function invalid(reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `The name of the Postgres role ${reason}`, {
    detail: { field: 'roleName' },
  })
}
