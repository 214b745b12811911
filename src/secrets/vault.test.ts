import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeVault } from '../../test/support/fake-vault.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { VaultDatabaseReference, VaultKvReference } from '../contract/secret-references.ts'
import { CLOSED_POLICY, type OperatorPolicy } from './operator-policy.ts'
import { SecretResolver } from './secret-resolver.ts'

let now = Date.now()
let vault: FakeVault
let url: string
const resolvers: SecretResolver[] = []

beforeEach(async () => {
  now = Date.now()
  vault = new FakeVault({ now: () => now })
  url = await vault.start()
  vault.secrets.set('secret/bytebase', [{ DB_PASSWORD: 'old one' }, { DB_PASSWORD: 'the password', port: 5432 }])
  vault.addToken('root-token', ['secret/data/bytebase', 'kv1/data/bytebase', 'secret/data/none'])
})

afterEach(async () => {
  await Promise.all(resolvers.splice(0).map((each) => each.close()))
  await vault.stop()
})

function resolver(policy: Partial<OperatorPolicy> = {}, times: { ttlMs?: number; staleMs?: number } = {}) {
  const made = new SecretResolver({
    dialer: testDialer(),
    policy: { ...CLOSED_POLICY, ...policy },
    clock: { now: () => new Date(now) },
    ttlMs: 60_000,
    staleMs: 600_000,
    timeoutMs: 1_000,
    ...times,
  })
  resolvers.push(made)
  return made
}

function kv(change: object = {}) {
  return VaultKvReference.parse({
    source: 'vault_kv',
    url,
    engineName: 'secret',
    path: 'bytebase',
    key: 'DB_PASSWORD',
    auth: { method: 'token', token: { from: 'literal', value: 'root-token' } },
    ...change,
  })
}

const appRole = {
  method: 'app_role',
  roleId: 'role-1',
  secretId: { from: 'literal', value: 'secret-1' },
  mountPath: 'approle',
}

function addAppRole(paths: string[], ttlSeconds = 60): void {
  vault.approles.set('approle/role-1', { secretId: 'secret-1', policy: { paths }, ttlSeconds })
}

describe('HashiCorp Vault, KV version 2', () => {
  it('[D1-103] gives what stands at engine name, path and key, and its version', async () => {
    const found = await resolver().resolveReference(kv())
    expect(found.value.reveal()).toBe('the password')
    expect(found).toMatchObject({ version: '2', origin: 'fetched', host: new URL(url).host })
  })

  it('gives an older version where one is named', async () => {
    expect((await resolver().resolveReference(kv({ version: 1 }))).value.reveal()).toBe('old one')
  })

  it('says that a version was deleted', async () => {
    vault.secrets.set('secret/bytebase', [{ DB_PASSWORD: 'x' }, null])
    await expect(resolver().resolveReference(kv())).rejects.toMatchObject({
      code: 'SECRET_SOURCE_NOT_FOUND',
      message: expect.stringContaining('was deleted'),
    })
  })

  it('[D1-092] recognises a mount of KV version 1 and refuses it by name', async () => {
    await expect(resolver().resolveReference(kv({ engineName: 'kv1' }))).rejects.toMatchObject({
      code: 'SECRET_SOURCE_INVALID',
      message: expect.stringContaining('KV version 1'),
    })
  })

  it('names the keys that exist where the key is missing, and no value', async () => {
    const attempt = resolver().resolveReference(kv({ key: 'PASSWORD' }))
    await expect(attempt).rejects.toMatchObject({ code: 'SECRET_SOURCE_NOT_FOUND', hint: 'It has: DB_PASSWORD' })
  })

  it('takes no number for a password', async () => {
    await expect(resolver().resolveReference(kv({ key: 'port' }))).rejects.toMatchObject({
      code: 'SECRET_SOURCE_NOT_FOUND',
    })
  })

  it('says which path and which capability a 403 is about', async () => {
    const attempt = resolver().resolveReference(kv({ path: 'other' }))
    await expect(attempt).rejects.toMatchObject({
      code: 'SECRET_SOURCE_DENIED',
      message: 'Vault refused to read secret/data/other',
      hint: expect.stringContaining('path "secret/data/other" { capabilities = ["read"] }'),
    })
  })

  it('says that Vault is sealed', async () => {
    vault.sealed = true
    await expect(resolver().resolveReference(kv())).rejects.toMatchObject({
      code: 'SECRET_SOURCE_UNAVAILABLE',
      message: 'Vault is sealed',
    })
  })

  it('follows no redirect to another host: the token stays here', async () => {
    const other = new FakeVault()
    vault.redirectTo = await other.start()
    try {
      await expect(resolver().resolveReference(kv())).rejects.toMatchObject({ code: 'SECRET_SOURCE_REFUSED' })
      expect(other.requests).toEqual([])
    } finally {
      await other.stop()
    }
  })

  it('sends the namespace', async () => {
    const namespaced = new FakeVault({ namespace: 'team-a' })
    namespaced.secrets.set('secret/bytebase', [{ DB_PASSWORD: 'in a namespace' }])
    namespaced.addToken('root-token', ['secret/data/bytebase'])
    const there = await namespaced.start()
    try {
      const found = await resolver().resolveReference(kv({ url: there, namespace: 'team-a' }))
      expect(found.value.reveal()).toBe('in a namespace')
      await expect(resolver().resolveReference(kv({ url: there }))).rejects.toMatchObject({
        code: 'SECRET_SOURCE_DENIED',
      })
    } finally {
      await namespaced.stop()
    }
  })

  it('does not leave the path that the reference names: dots in it are refused', async () => {
    const attempt = resolver().resolveReference(kv({ path: '../../sys/raw?x=1#y' }))
    await expect(attempt).rejects.toMatchObject({ code: 'SECRET_SOURCE_INVALID' })
    expect(vault.requests.every((request) => !request.includes('/sys/raw'))).toBe(true)
  })
})

describe('the token of a reference', () => {
  it('may come from a variable that the operator has allowed, and from no other', async () => {
    const policy = { environmentNames: ['VAULT_TOKEN'], environment: { VAULT_TOKEN: 'root-token', HOME: '/root' } }
    const from = (name: string) => kv({ auth: { method: 'token', token: { from: 'environment', name } } })
    expect((await resolver(policy).resolveReference(from('VAULT_TOKEN'))).value.reveal()).toBe('the password')
    await expect(resolver(policy).resolveReference(from('HOME'))).rejects.toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
    })
    await expect(resolver().resolveReference(from('VAULT_TOKEN'))).rejects.toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
    })
  })

  it('may come from a file below an allowed folder, not from beside it, nor by a link or dots out of it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-token-'))
    writeFileSync(join(folder, 'token'), 'root-token\n')
    const policy = { fileFolders: [folder] }
    const from = (path: string) => kv({ auth: { method: 'token', token: { from: 'file', path } } })
    expect((await resolver(policy).resolveReference(from(join(folder, 'token')))).value.reveal()).toBe('the password')
    for (const path of ['/etc/hostname', `${folder}/../../../../../../etc/hostname`, `${folder}-other/token`]) {
      await expect(resolver(policy).resolveReference(from(path))).rejects.toMatchObject({
        code: 'SECRET_SOURCE_REFUSED',
      })
    }
  })
})

describe('AppRole', () => {
  it('[D1-102] logs in once for many secrets and revokes its token at the end', async () => {
    addAppRole(['secret/data/bytebase', 'secret/data/other'])
    vault.secrets.set('secret/other', [{ DB_PASSWORD: 'second' }])
    const made = resolver()
    await made.resolveReference(kv({ auth: appRole }))
    await made.resolveReference(kv({ auth: appRole, path: 'other' }))
    expect(vault.requests.filter((request) => request.includes('/login'))).toHaveLength(1)
    await made.close()
    expect(vault.revokedTokens).toHaveLength(1)
  })

  it('renews its token at two thirds of its life instead of logging in again', async () => {
    addAppRole(['secret/data/bytebase'], 60)
    const made = resolver({}, { ttlMs: 1_000 })
    await made.resolveReference(kv({ auth: appRole }))
    now += 45_000
    await made.resolveReference(kv({ auth: appRole }))
    expect(vault.requests.filter((request) => request.includes('/login'))).toHaveLength(1)
    expect(vault.requests.filter((request) => request.includes('/renew-self'))).toHaveLength(1)
  })

  it('logs in again when Vault has ended the token early', async () => {
    addAppRole(['secret/data/bytebase'], 3_600)
    const made = resolver({}, { ttlMs: 1_000 })
    await made.resolveReference(kv({ auth: appRole }))
    for (const token of vault.tokens.keys()) if (token.startsWith('hvs.')) vault.tokens.delete(token)
    now += 5_000
    expect((await made.resolveReference(kv({ auth: appRole }))).value.reveal()).toBe('the password')
  })

  it('says that the secret id is wrong', async () => {
    addAppRole(['secret/data/bytebase'])
    const auth = { ...appRole, secretId: { from: 'literal', value: 'wrong' } }
    await expect(resolver().resolveReference(kv({ auth }))).rejects.toMatchObject({
      code: 'SECRET_SOURCE_DENIED',
      message: 'Vault refused the AppRole login at auth/approle',
    })
  })
})

describe('Vault database engine', () => {
  const dynamic = (key: 'username' | 'password') =>
    VaultDatabaseReference.parse({ source: 'vault_database', url, role: 'readers', key, auth: appRole })

  beforeEach(() => {
    vault.databaseRoles.set('database/readers', { ttlSeconds: 60, maxTtlSeconds: 150 })
    addAppRole(['database/creds/readers'], 3_600)
  })

  it('makes one user for user name and password, and revokes it at the end', async () => {
    const made = resolver()
    const [username, password] = await Promise.all([
      made.resolveReference(dynamic('username')),
      made.resolveReference(dynamic('password')),
    ])
    expect(password.value.reveal()).toBe(`made-for-${username.value.reveal()}`)
    expect(vault.leases.size).toBe(1)
    await made.close()
    expect(vault.revokedLeases).toHaveLength(1)
  })

  it('renews the lease, and takes the next user when Vault grants no more time', async () => {
    const made = resolver()
    const first = await made.resolveReference(dynamic('username'))
    now += 45_000
    expect((await made.resolveReference(dynamic('username'))).value.reveal()).toBe(first.value.reveal())
    for (let step = 0; step < 4; step += 1) {
      now += 40_000
      await made.resolveReference(dynamic('username'))
    }
    const last = await made.resolveReference(dynamic('username'))
    expect(last.value.reveal()).not.toBe(first.value.reveal())
    expect(vault.requests.filter((request) => request.includes('/leases/renew')).length).toBeGreaterThan(0)
  })
})

describe('what is remembered', () => {
  it('is asked for once within the time to live, however many ask at once', async () => {
    const made = resolver()
    await Promise.all(Array.from({ length: 50 }, () => made.resolveReference(kv())))
    now += 59_000
    expect((await made.resolveReference(kv())).origin).toBe('cached')
    expect(vault.requests).toHaveLength(1)
    now += 2_000
    expect((await made.resolveReference(kv())).origin).toBe('fetched')
    expect(vault.requests).toHaveLength(2)
  })

  it('is used while the manager is silent, up to the bound, and then no longer', async () => {
    const made = resolver()
    await made.resolveReference(kv())
    await vault.stop()
    now += 9 * 60_000
    expect(await made.resolveReference(kv())).toMatchObject({ origin: 'stale' })
    now += 2 * 60_000
    await expect(made.resolveReference(kv())).rejects.toMatchObject({ code: 'SECRET_SOURCE_UNAVAILABLE' })
    vault = new FakeVault()
    await vault.start()
  })

  it('is not used against a manager that says no', async () => {
    const made = resolver()
    await made.resolveReference(kv())
    now += 61_000
    vault.tokens.clear()
    await expect(made.resolveReference(kv())).rejects.toMatchObject({ code: 'SECRET_SOURCE_DENIED' })
  })

  it('is fetched anew, once, after a database refused it: a rotation fails nobody', async () => {
    const made = resolver()
    const before = await Promise.all(Array.from({ length: 10 }, () => made.resolveReference(kv())))
    vault.secrets.set('secret/bytebase', [{ DB_PASSWORD: 'rotated' }])
    for (const found of before) found.reject()
    const after = await Promise.all(Array.from({ length: 10 }, () => made.resolveReference(kv())))
    for (const found of before) found.reject()
    expect(after.map(({ value }) => value.reveal())).toEqual(Array.from({ length: 10 }, () => 'rotated'))
    expect((await made.resolveReference(kv())).origin).toBe('cached')
    expect(vault.requests).toHaveLength(2)
  })

  it('does not wait for a manager that never answers', async () => {
    vault.isSilent = true
    const attempt = resolver().resolveReference(kv())
    await expect(attempt).rejects.toMatchObject({ code: 'SECRET_SOURCE_UNAVAILABLE' })
  })
})
