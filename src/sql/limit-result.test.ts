import { describe, expect, it } from 'vitest'
import type { QueryEvent } from '../engines/query-events.ts'
import { ResultLimit } from './limit-result.ts'

const rows = (...texts: (string | null)[]): QueryEvent => ({ type: 'rows', rows: texts.map((text) => [text]) })

describe('a limited result', () => {
  it('is cut inside of a batch of rows, and nothing follows', () => {
    const limit = new ResultLimit({ maxRows: 3, maxBytes: 1_000 })
    expect(limit.pass(rows('a', 'b'))).toEqual(rows('a', 'b'))
    expect(limit.pass(rows('c', 'd', 'e'))).toEqual(rows('c'))
    expect(limit.pass(rows('f'))).toBeUndefined()
    expect(limit).toMatchObject({ rows: 3, truncated: 'rows' })
  })

  it('is whole when it has exactly as many rows as it may', () => {
    const limit = new ResultLimit({ maxRows: 2, maxBytes: 1_000 })
    limit.pass(rows('a', 'b'))
    expect(limit.truncated).toBeUndefined()
    expect(limit.pass({ type: 'complete', command: 'SELECT', rowCount: 2 })).toBeDefined()
  })

  it('counts bytes, not characters, and never passes a row that is too large', () => {
    const limit = new ResultLimit({ maxRows: 10, maxBytes: 10 })
    expect(limit.pass(rows('ééé'))).toEqual(rows('ééé'))
    expect(limit.pass(rows('éé'))).toBeUndefined()
    expect(limit).toMatchObject({ truncated: 'bytes', bytes: 7, rows: 1 })
  })

  it('counts rows of NULLs', () => {
    const limit = new ResultLimit({ maxRows: 1_000_000, maxBytes: 5 })
    limit.pass(rows(null, null, null, null, null, null))
    expect(limit).toMatchObject({ truncated: 'bytes', rows: 5 })
  })

  it('says once that it leaves further notices out', () => {
    const limit = new ResultLimit({ maxRows: 1, maxBytes: 1_000 })
    const notice: QueryEvent = { type: 'notice', severity: 'NOTICE', message: 'x'.repeat(100_000) }
    const passed = Array.from({ length: 1_500 }, () => limit.pass(notice)).filter((event) => event !== undefined)
    expect(passed).toHaveLength(1_000)
    expect(passed[0]).toMatchObject({ message: expect.stringMatching(/^x{8192}$/) })
    expect(passed.at(-1)).toMatchObject({ severity: 'WARNING' })
  })
})
