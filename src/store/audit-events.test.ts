import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { newNumericId, type PrincipalId, type WorkspaceId } from '../base/ids.ts'
import { type AuditEventRow, insertAuditEvents, listAuditEvents } from './audit-events.ts'
import type { Store } from './store.ts'

let postgres: EmbeddedPostgres
let store: Store
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  store = await postgres.freshStore()
})
afterAll(() => postgres.stop())

const start = Date.parse('2030-01-01T00:00:00Z')

function event(workspaceId: WorkspaceId, over: Partial<AuditEventRow> = {}): AuditEventRow {
  return {
    id: randomUUID(),
    occurredAt: new Date(start),
    workspaceId,
    action: 'login',
    outcome: 'allowed',
    reason: null,
    actorId: null,
    actorName: null,
    targetType: null,
    targetId: null,
    targetName: null,
    sessionId: null,
    requestId: null,
    peer: null,
    detail: {},
    ...over,
  }
}

it('keeps a record that is shipped twice once, also beside records that are new', async () => {
  const workspaceId = newNumericId<WorkspaceId>()
  const first = event(workspaceId, { detail: { bytes: 3, names: ['a', 'b'] } })
  await insertAuditEvents(store.db, [first])
  await insertAuditEvents(store.db, [{ ...first, action: 'changed' }, event(workspaceId)])
  const stored = await listAuditEvents(store.db, workspaceId, {}, { limit: 10 })
  expect(stored).toHaveLength(2)
  expect(stored.find(({ id }) => id === first.id)).toEqual(first)
})

it('stores more records at once than one statement has parameters for', async () => {
  const workspaceId = newNumericId<WorkspaceId>()
  await insertAuditEvents(
    store.db,
    Array.from({ length: 4500 }, () => event(workspaceId)),
  )
  expect(await listAuditEvents(store.db, workspaceId, {}, { limit: 5000 })).toHaveLength(4500)
})

it('lists newest first and pages through records of one moment without losing or repeating any', async () => {
  const workspaceId = newNumericId<WorkspaceId>()
  const events = Array.from({ length: 7 }, (_, index) =>
    event(workspaceId, { occurredAt: new Date(start + (index < 4 ? 0 : 1000)) }),
  )
  await insertAuditEvents(store.db, events)
  const seen: AuditEventRow[] = []
  for (;;) {
    const after = seen.at(-1)
    const page = await listAuditEvents(store.db, workspaceId, {}, { limit: 2, after })
    if (page.length === 0) break
    seen.push(...page)
  }
  expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(events.map(({ id }) => id)))
  expect(seen).toHaveLength(7)
  expect(seen.map(({ occurredAt }) => occurredAt.getTime())).toEqual(
    [1000, 1000, 1000, 0, 0, 0, 0].map((offset) => start + offset),
  )
})

it('applies every filter, and never shows another workspace', async () => {
  const workspaceId = newNumericId<WorkspaceId>()
  const other = newNumericId<WorkspaceId>()
  const actorId = newNumericId<PrincipalId>()
  const wanted = event(workspaceId, {
    action: 'credential.issue',
    outcome: 'denied',
    actorId,
    actorName: 'ada@main.test',
    targetId: 't1',
    targetName: 'orders',
    sessionId: randomUUID() as never,
    occurredAt: new Date(start + 500),
  })
  await insertAuditEvents(store.db, [
    wanted,
    event(workspaceId),
    event(other, { ...wanted, id: randomUUID(), workspaceId: other }),
  ])
  const filters = [
    { action: 'credential.issue' },
    { outcome: 'denied' },
    { actor: 'ada@main.test' },
    { actor: actorId },
    { target: 'orders' },
    { target: 't1' },
    { sessionId: wanted.sessionId ?? '' },
    { since: new Date(start + 500) },
    { since: new Date(start + 1), until: new Date(start + 501) },
  ] as const
  for (const filter of filters) {
    expect(await listAuditEvents(store.db, workspaceId, filter, { limit: 10 }), JSON.stringify(filter)).toEqual([
      wanted,
    ])
  }
  expect(await listAuditEvents(store.db, workspaceId, { until: new Date(start) }, { limit: 10 })).toEqual([])
})
