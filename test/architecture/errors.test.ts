import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorKind, type ErrorRow } from '../../src/base/error-table.ts'
import { repositoryRoot } from '../support/repository.ts'

const rows: readonly [code: string, row: ErrorRow][] = Object.entries(ERRORS)

/** Statuses that fit who has to act (RFC 9110 section 15). `caller` includes 500: a wrong option stops our own start. */
const statusesOf: Readonly<Record<ErrorKind, readonly number[]>> = {
  caller: [400, 413, 500, 501],
  denied: [400, 401, 403],
  absent: [404],
  conflict: [400, 409],
  limit: [400, 408, 429, 503],
  upstream: [400, 502, 504],
  dependency: [500, 503],
  internal: [500],
}

describe('a row of the error table', () => {
  it.each(rows)('%s has codes that its protocols know', (_code, row) => {
    expect(row.sqlstate).toMatch(/^[0-9A-Z]{5}$/)
    expect(row.apiCode).toMatch(/^[A-Z_]+$/)
    expect(row.oauth).toMatch(/^[a-z_]+$/)
    expect(statusesOf[row.kind]).toContain(row.http)
  })

  it.each(rows)('%s says what happened and what to do, in sentences', (_code, row) => {
    expect(row.meaning).toMatch(/^[A-Z].*\.$/)
    expect(row.action).toMatch(/^[A-Z].*\.$/)
  })
})

describe('docs/reference/errors.md', () => {
  const page = readFileSync(join(repositoryRoot, 'docs/reference/errors.md'), 'utf8')
  const documented = new Set(page.match(/\b[A-Z]{2,}(?:_[A-Z]+)+\b|\bINTERNAL\b|\bUNAUTHENTICATED\b|\bCANCELLED\b/g))

  it.each(rows)('explains %s', (code, row) => {
    expect([...documented]).toContain(code)
    expect(page).toContain(row.sqlstate)
  })

  it('names no code that is gone', () => {
    const known = new Set(rows.flatMap(([code, row]) => [code, row.apiCode]))
    expect([...documented].filter((name) => !known.has(name))).toEqual([])
  })
})
