import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { addScriptedInstance } from '../../test/support/scripted-session.ts'
import { createInstanceFixture, type InstanceFixture } from '../../test/support/instance-fixture.ts'
import { newNumericId, type PrincipalId } from '../base/ids.ts'
import type { Actor } from '../identity/actor.ts'
import { insertSqlExecution } from '../store/sql-executions.ts'
import type { Store } from '../store/store.ts'
import { cancelSql, sweepSqlHistory } from './history.ts'
import { RunningExecutions } from './running-executions.ts'
import { sealStatement } from './statement-seal.ts'

let postgres: EmbeddedPostgres
let store: Store
let fixture: InstanceFixture
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  store = await postgres.freshStore()
  fixture = await createInstanceFixture(store)
})
afterAll(() => postgres.stop())

async function addExecution(): Promise<string> {
  const { id: instanceId, name } = await addScriptedInstance(store, fixture.admin.workspaceId)
  const id = crypto.randomUUID()
  const { principalId, workspaceId } = fixture.admin
  const statementSealed = sealStatement(fixture.deps.masterKey, id, principalId, 'select 1')
  await insertSqlExecution(
    store.db,
    {
      id,
      workspaceId,
      principalId,
      instanceId,
      instanceName: name,
      source: 'admin',
      dataSourceName: 'admin',
      postgresRole: null,
      database: 'app',
      statementSealed,
      statementKind: 'SELECT',
    },
    60,
  )
  return id
}

describe('a statement that runs', () => {
  it('is cancelled from another node', async () => {
    const here = new RunningExecutions(10)
    const there = new RunningExecutions(10)
    const unfollow = await there.follow(store)
    const id = await addExecution()
    const abort = new AbortController()
    there.enter(id, fixture.admin.principalId, abort)
    await cancelSql({ store, sqlRunning: here }, fixture.admin, id)
    for (let waited = 0; !abort.signal.aborted && waited < 100; waited += 1) await sleep(20)
    expect(abort.signal.aborted).toBe(true)
    expect(await fixture.auditTrail()).toContain('sql.cancel allowed')
    await unfollow()
  })

  it('is not cancelled by another Member, who does not even learn that it exists', async () => {
    const running = new RunningExecutions(10)
    const id = await addExecution()
    const abort = new AbortController()
    running.enter(id, fixture.admin.principalId, abort)
    const stranger: Actor = { ...fixture.admin, principalId: newNumericId<PrincipalId>(), workspaceRole: 'member' }
    await expect(cancelSql({ store, sqlRunning: running }, stranger, id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(abort.signal.aborted).toBe(false)
    const dba: Actor = { ...stranger, workspaceRole: 'dba' }
    await cancelSql({ store, sqlRunning: running }, dba, id)
    expect(abort.signal.aborted).toBe(true)
  })

  it('is refused beyond ten of one principal, and beyond what the node takes', () => {
    const running = new RunningExecutions(12)
    const other = newNumericId<PrincipalId>()
    const enter = (id: string, principalId: PrincipalId) => running.enter(id, principalId, new AbortController())
    for (let index = 0; index < 10; index += 1) enter(`own ${index}`, fixture.admin.principalId)
    const refused = expect.objectContaining({ code: 'RATE_LIMITED' })
    expect(() => enter('own 10', fixture.admin.principalId)).toThrow(refused)
    enter('other 1', other)
    enter('other 2', other)
    expect(() => enter('other 3', other)).toThrow(refused)
    running.leave('own 0')
    enter('other 3', other)
  })
})

it('the history forgets what is older than the retention', async () => {
  const old = await addExecution()
  const young = await addExecution()
  await store.pool.query(`update sql_execution set started_at = now() - interval '91 days' where id = $1`, [old])
  await sweepSqlHistory({ store }, 90)
  const { rows } = await store.pool.query('select id from sql_execution where id = any($1)', [[old, young]])
  expect(rows).toEqual([{ id: young }])
})
