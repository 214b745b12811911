import { cstring, FieldReader, message } from './message-fields.ts'

/**
 * An ErrorResponse (`E`) or NoticeResponse (`N`).
 * @see https://www.postgresql.org/docs/current/protocol-error-fields.html
 */
export interface ErrorFields {
  readonly severity: string
  readonly sqlstate: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  /** For Postgres a place in its source; for us the code of the error table, which programs can tell apart. */
  readonly routine?: string
}

/** Tells the client what failed. FATAL and PANIC end the session: close after it. NULs are dropped, text from elsewhere may hold them. */
export function writeErrorResponse(fields: ErrorFields): Uint8Array {
  return writeFields('E', fields)
}

/** Tells the client something that changes nothing. */
export function writeNoticeResponse(fields: ErrorFields): Uint8Array {
  return writeFields('N', fields)
}

/**
 * Reads the body of an ErrorResponse or NoticeResponse.
 * @returns undefined when it is malformed. A missing SQLSTATE reads as `XX000`, a missing severity as `ERROR`: servers and
 *   poolers leave them out. Text that is not UTF-8 is kept as far as it reads: a server that fails early knows no encoding yet.
 */
export function readErrorFields(body: Uint8Array): ErrorFields | undefined {
  const reader = new FieldReader(body)
  const fields = new Map<string, string>()
  for (;;) {
    const type = reader.byte()
    if (type === undefined) return undefined
    if (type === 0) break
    const value = reader.lenientCstring()
    if (value === undefined) return undefined
    fields.set(String.fromCharCode(type), value)
  }
  return {
    // V is S without translation, since PostgreSQL 9.6.
    severity: fields.get('V') ?? fields.get('S') ?? 'ERROR',
    sqlstate: fields.get('C') ?? 'XX000',
    message: fields.get('M') ?? '',
    ...optional('detail', fields.get('D')),
    ...optional('hint', fields.get('H')),
    ...optional('routine', fields.get('R')),
  }
}

function writeFields(type: string, fields: ErrorFields): Uint8Array {
  const parts = [
    field('S', fields.severity),
    field('V', fields.severity),
    field('C', fields.sqlstate),
    field('M', fields.message),
  ]
  if (fields.detail !== undefined) parts.push(field('D', fields.detail))
  if (fields.hint !== undefined) parts.push(field('H', fields.hint))
  if (fields.routine !== undefined) parts.push(field('R', fields.routine))
  return message(type, ...parts, Uint8Array.of(0))
}

function field(type: string, value: string): Uint8Array {
  return cstring(type + value.replaceAll('\0', ''))
}

function optional<K extends string>(name: K, value: string | undefined): { [key in K]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [key in K]?: string }
}
