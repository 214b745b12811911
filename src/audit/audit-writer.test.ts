import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import type { Store } from '../store/store.ts'
import { auditRecord } from './audit-record.ts'
import { AuditSpool } from './audit-spool.ts'
import { AuditWriter } from './audit-writer.ts'

let postgres: EmbeddedPostgres
let store: Store
let folder: string
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
}, 60_000)
afterAll(() => postgres.stop())
beforeEach(async () => {
  store = await postgres.freshStore()
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'postern-spool-'))
})
afterEach(async () => {
  await store.close()
  fs.rmSync(folder, { recursive: true })
})

const record = (action: string) => auditRecord({ action, outcome: 'allowed', workspaceId: null })
const stored = async () => {
  const { rows } = await sql<{ action: string }>`select action from audit_event order by occurred_at, action`.execute(
    store.db,
  )
  return rows.map((row) => row.action)
}
const takeAway = () => sql`alter table audit_event rename to audit_event_away`.execute(store.db)
const bringBack = () => sql`alter table audit_event_away rename to audit_event`.execute(store.db)

describe('the audit writer', () => {
  test('has a record in the store before append resolves', async () => {
    const writer = new AuditWriter({ store, deadlineMs: 5_000 })
    await writer.append(record('one'))
    expect(await stored()).toEqual(['one'])
    await writer.close()
  })

  test('gathers records that arrive while a batch is on its way', async () => {
    const query = vi.spyOn(store.pool, 'connect')
    const writer = new AuditWriter({ store, deadlineMs: 5_000 })
    await Promise.all(Array.from({ length: 200 }, (_, i) => writer.append(record(`r${String(i).padStart(3, '0')}`))))
    expect(await stored()).toHaveLength(200)
    expect(query.mock.calls.length).toBeLessThan(10)
    await writer.close()
  })

  test('spools while the store refuses, and ships in order without loss or duplicate when it is back', async () => {
    const writer = new AuditWriter({ store, spool: new AuditSpool(folder, 1_000_000), deadlineMs: 5_000 })
    await writer.append(record('a'))
    await takeAway()
    await writer.append(record('b'))
    await writer.append(record('c'))
    await bringBack()
    await writer.append(record('d'))
    await vi.waitFor(async () => expect(await stored()).toEqual(['a', 'b', 'c', 'd']), { timeout: 10_000 })
    expect(fs.readdirSync(folder)).toEqual([])
    await writer.append(record('e'))
    expect(await stored()).toEqual(['a', 'b', 'c', 'd', 'e'])
    await writer.close()
  })

  test('spools when the store is late, and the late write leaves no duplicate', async () => {
    const lock = await store.pool.connect()
    await lock.query('begin; lock table audit_event in access exclusive mode')
    const writer = new AuditWriter({ store, spool: new AuditSpool(folder, 1_000_000), deadlineMs: 100 })
    await writer.append(record('late'))
    expect(fs.readdirSync(folder)).toHaveLength(1)
    await lock.query('commit')
    lock.release()
    await vi.waitFor(() => expect(fs.readdirSync(folder)).toEqual([]), { timeout: 10_000 })
    expect(await stored()).toEqual(['late'])
    await writer.close()
  })

  test('empties the spool under a load that never pauses', async () => {
    const spool = new AuditSpool(folder, 1_000_000)
    const writer = new AuditWriter({ store, spool, deadlineMs: 5_000 })
    await takeAway()
    await writer.append(record('first'))
    await bringBack()
    let appended = 1
    const busyUntil = performance.now() + 3_000
    while (!spool.isEmpty && performance.now() < busyUntil) {
      await writer.append(record('load'))
      appended += 1
    }
    expect(spool.isEmpty).toBe(true)
    expect(await stored()).toHaveLength(appended)
    await writer.close()
  })

  test('sets aside what the store refuses for its content, says so, and ships everything else in order', async () => {
    const refused: string[] = []
    const writer = new AuditWriter({
      store,
      spool: new AuditSpool(folder, 1_000_000),
      deadlineMs: 5_000,
      onSetAside: ({ action }) => refused.push(action),
    })
    await sql`alter table audit_event add constraint no_poison check (action not like 'poison%')`.execute(store.db)
    await takeAway()
    for (const action of ['a', 'poison 1', 'b', 'c', 'poison 2', 'd']) await writer.append(record(action))
    await bringBack()
    await vi.waitFor(async () => expect(await stored()).toEqual(['a', 'b', 'c', 'd']), { timeout: 10_000 })
    await writer.append(record('poison 3'))
    await vi.waitFor(() => expect(refused).toEqual(['poison 1', 'poison 2', 'poison 3']), { timeout: 10_000 })
    await writer.append(record('e'))
    await vi.waitFor(async () => expect(await stored()).toEqual(['a', 'b', 'c', 'd', 'e']), { timeout: 10_000 })
    expect(writer.setAside).toBe(3)
    expect(fs.readdirSync(folder)).toEqual(['set-aside.jsonl'])
    const lines = fs.readFileSync(path.join(folder, 'set-aside.jsonl'), 'utf8').trim().split('\n')
    expect(lines.map((line) => JSON.parse(line).action)).toEqual(refused)
    await writer.close()
  })

  test('keeps it in the spool when even that file is full', async () => {
    const spool = new AuditSpool(folder, 1_000)
    const writer = new AuditWriter({ store, spool, deadlineMs: 5_000 })
    fs.writeFileSync(path.join(folder, 'set-aside.jsonl'), 'x'.repeat(900))
    await sql`alter table audit_event add constraint no_poison check (action <> 'poison')`.execute(store.db)
    await writer.append(record('poison'))
    expect(spool.isEmpty).toBe(false)
    await expect(writer.append(auditRecord({ ...record('x'), actorName: 'y'.repeat(1_000) }))).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
    })
    await writer.close()
  })

  test('refuses the record when there is neither a store nor room in the spool', async () => {
    await takeAway()
    const full = new AuditWriter({ store, spool: new AuditSpool(folder, 10), deadlineMs: 5_000 })
    await expect(full.append(record('x'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' })
    const without = new AuditWriter({ store, deadlineMs: 5_000 })
    await expect(without.append(record('x'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' })
    await bringBack()
    expect(await stored()).toEqual([])
    await Promise.all([full.close(), without.close()])
  })
})
