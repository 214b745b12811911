import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { type HttpFixture, startHttpFixture } from '../../test/support/http-app.ts'
import type { Clock } from '../base/clock.ts'
import { Secret } from '../base/secret.ts'
import type { Store } from '../store/store.ts'
import { createServicePrincipal } from './create-service-principal.ts'
import {
  createServicePrincipalSecret,
  deleteServicePrincipalSecret,
  listServicePrincipalSecrets,
} from './service-principal-secrets.ts'
import { verifyClientSecret } from './verify-client-secret.ts'

let postgres: EmbeddedPostgres
let store: Store
let fixture: HttpFixture
let now = new Date('2030-01-01T00:00:00Z')
const clock: Clock = { now: () => now }
const after = (seconds: number) => (now = new Date(now.getTime() + seconds * 1000))

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  store = await postgres.freshStore()
  fixture = await startHttpFixture(store)
})
afterAll(async () => {
  await fixture.close()
  await postgres.stop()
})

let clientId: string
beforeEach(async () => {
  const created = await createServicePrincipal({ store }, fixture.admin, {
    displayName: 'etl',
    workspaceRole: 'member',
  })
  clientId = created.clientId
})

const create = (lifetimeSeconds?: number) =>
  createServicePrincipalSecret({ store, clock }, fixture.admin, clientId, { lifetimeSeconds })
const verify = (secret: Secret) => verifyClientSecret({ store, clock }, clientId, secret)
const list = () => listServicePrincipalSecrets({ store }, fixture.admin, clientId)

it('never has more than five secrets, also when many are asked for at once', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => create()))
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
  expect(refused).toEqual(Array.from({ length: 7 }, () => 'TOO_MANY_SECRETS'))
  expect(await list()).toHaveLength(5)
})

it('accepts each of its secrets and nothing else', async () => {
  const secrets = [(await create()).secret, (await create()).secret]
  for (const secret of secrets) expect(await verify(secret)).not.toBeNull()
  const [first] = secrets as [Secret]
  for (const wrong of ['', 'x', first.reveal().slice(0, -1), `${first.reveal()}x`, first.reveal().toUpperCase()]) {
    expect(await verify(new Secret(wrong))).toBeNull()
  }
})

it('refuses a secret from the second in which it expires, and gives its place to another', async () => {
  const [first] = await Promise.all(Array.from({ length: 5 }, () => create(60)))
  after(59)
  expect(await verify((first as { secret: Secret }).secret)).not.toBeNull()
  after(1)
  expect(await verify((first as { secret: Secret }).secret)).toBeNull()
  const { id } = await create()
  expect((await list()).map((secret) => secret.id)).toEqual([id])
})

it('refuses a deleted secret at once and keeps the others', async () => {
  const one = await create()
  const other = await create()
  await deleteServicePrincipalSecret({ store }, fixture.admin, clientId, one.id)
  expect(await verify(one.secret)).toBeNull()
  expect(await verify(other.secret)).not.toBeNull()
  await expect(deleteServicePrincipalSecret({ store }, fixture.admin, clientId, one.id)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
})

it('stores only a hash, and a prefix by which scanners and people recognise a secret', async () => {
  const { secret, hint } = await create()
  expect(secret.reveal()).toMatch(/^postern_sps_[\w-]{43}$/)
  expect(secret.reveal().startsWith(hint)).toBe(true)
  expect(hint).toHaveLength(16)
  const { rows } = await store.pool.query('select s::text from service_principal_secret s')
  expect(JSON.stringify(rows)).not.toContain(secret.reveal())
})

it('notes when a secret was used, at most once a minute', async () => {
  const { secret } = await create()
  const usedAt = async () => (await list())[0]?.lastUsedAt
  expect(await usedAt()).toBeNull()
  await verify(secret)
  const firstUse = now
  after(59)
  await verify(secret)
  expect(await usedAt()).toEqual(firstUse)
  after(2)
  await verify(secret)
  expect(await usedAt()).toEqual(now)
})

it('leaves an audit record with every change, without the secret', async () => {
  const { id, secret } = await create()
  await deleteServicePrincipalSecret({ store }, fixture.admin, clientId, id)
  const { rows } = await store.pool.query('select action, actor_name, detail from audit_event where target_id = $1', [
    id,
  ])
  expect(rows.map(({ action }) => String(action)).toSorted()).toEqual(['secret.create', 'secret.delete'])
  expect(JSON.stringify(rows)).not.toContain(secret.reveal())
})
