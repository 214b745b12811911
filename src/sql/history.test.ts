import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import { readSqlHistory, type SqlHistoryEntry, sweepSqlHistory } from './history.ts'
import { sealStatement } from './statement-seal.ts'

const STATEMENTS = 60
const CHARACTERS = 500_000
const ANSWER_MAX = 16 * 1024 * 1024

describe('a history of statements as long as they may be', () => {
  let postgres: EmbeddedPostgres
  let fixture: HttpFixture
  beforeAll(async () => {
    postgres = await startEmbeddedPostgres()
    fixture = await startHttpFixture(await postgres.freshStore())
    const { store, masterKey } = fixture.deps
    const { principalId, workspaceId } = fixture.admin
    for (let number = 0; number < STATEMENTS; number += 1) {
      const id = randomUUID()
      const statement = `select ${number} ${'x'.repeat(CHARACTERS)}`
      await store.db
        .insertInto('sql_execution')
        .values({
          id,
          workspace_id: workspaceId,
          principal_id: principalId,
          instance_id: null,
          instance_name: 'shop-db',
          source: 'read_only',
          data_source_name: 'reader',
          postgres_role: null,
          database: 'shop',
          statement_sealed: sealStatement(masterKey, id, principalId, statement),
          statement_kind: 'SELECT',
          running_until: new Date(0),
        })
        .execute()
    }
  }, 60_000)
  afterAll(async () => {
    await fixture?.close()
    await postgres?.stop()
  })

  it.each([
    ['read', undefined],
    ['searched with finds', 'X'],
  ])('is %s piece by piece, in answers that fit in memory', async (_, text) => {
    const read: SqlHistoryEntry[] = []
    let before: Parameters<typeof readSqlHistory>[3]['before']
    do {
      const page = await readSqlHistory(fixture.deps, fixture.admin, { text }, { limit: 1000, before })
      const characters = page.entries.reduce((sum, { statement }) => sum + (statement?.length ?? 0), 0)
      expect(characters).toBeLessThan(ANSWER_MAX)
      read.push(...page.entries)
      before = page.next
    } while (before !== undefined)
    expect(new Set(read.map(({ statement }) => statement?.slice(0, 10))).size).toBe(STATEMENTS)
    expect(read).toHaveLength(STATEMENTS)
  })

  it('is searched without a find to its end, in several requests', async () => {
    let before: Parameters<typeof readSqlHistory>[3]['before']
    let requests = 0
    do {
      const page = await readSqlHistory(fixture.deps, fixture.admin, { text: 'nowhere' }, { limit: 10, before })
      expect(page.entries).toEqual([])
      before = page.next
      requests += 1
    } while (before !== undefined)
    expect(requests).toBeGreaterThan(1)
  })

  it('keeps the newest of each principal, by number and by size, whatever somebody runs', async () => {
    const kept = async () => {
      const rows = await fixture.deps.store.db.selectFrom('sql_execution').select('statement_sealed').execute()
      return rows.length
    }
    const retentionDays = 90
    await sweepSqlHistory(fixture.deps, retentionDays)
    expect(await kept()).toBe(STATEMENTS)
    await sweepSqlHistory(fixture.deps, retentionDays, { entries: 40, bytes: 1e12 })
    expect(await kept()).toBe(40)
    await sweepSqlHistory(fixture.deps, retentionDays, { entries: 40, bytes: 10.5 * CHARACTERS })
    expect(await kept()).toBe(10)
    const { entries } = await readSqlHistory(fixture.deps, fixture.admin, {}, { limit: 1 })
    expect(entries[0]?.statement).toMatch(/^select \d+ x/)
  })
})
