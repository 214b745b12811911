import { beforeAll, expect, it } from 'vitest'
import { startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { newNumericId, newUuid, type InstanceId, type PrincipalId } from '../base/ids.ts'
import { MasterKey } from '../crypto/master-key.ts'
import type { Store } from '../store/store.ts'
import { SessionStatements } from './session-statements.ts'

let store: Store
const masterKey = MasterKey.generate()
const statement = {
  instanceId: newUuid<InstanceId>(),
  systemIdentifier: '7300000000000000001',
  roleOid: '16384',
  principalId: newNumericId<PrincipalId>(),
  expiresAt: new Date(1_900_000_000_000),
}

beforeAll(async () => {
  const local = await startEmbeddedPostgres()
  store = await local.freshStore()
  return () => local.stop()
}, 60_000)

async function loaded(): Promise<SessionStatements> {
  const statements = SessionStatements.unread(store, masterKey)
  await statements.load()
  return statements
}

it('nodes that make the key at the same moment end up with one, and believe each other', async () => {
  const [one, another] = await Promise.all([loaded(), loaded()])
  expect(one?.modulus).toBe(another?.modulus)
  expect(another?.verify(one?.sign(statement) ?? '')).toEqual(statement)
})

it('a statement in which any character was changed is none', async () => {
  const statements = await loaded()
  const signed = statements.sign(statement)
  for (let at = 0; at < signed.length; at += 7) {
    const changed = signed.slice(0, at) + (signed[at] === '1' ? '2' : '1') + signed.slice(at + 1)
    expect(statements.verify(changed), changed).toBeUndefined()
  }
  for (const text of [
    '',
    'v1',
    `${signed}:`,
    `${signed}00`,
    `${signed}zz`,
    signed.slice(0, -2),
    signed.replace('v1:', ''),
  ]) {
    expect(statements.verify(text)).toBeUndefined()
  }
})

it('the key does not open with another master key', async () => {
  await loaded()
  await expect(SessionStatements.unread(store, MasterKey.generate()).load()).rejects.toMatchObject({
    code: 'SECRET_UNREADABLE',
  })
})
