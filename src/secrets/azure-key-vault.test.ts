import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeAzure } from '../../test/support/fake-azure.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { AzureSecretReference } from '../contract/secret-references.ts'
import { CLOSED_POLICY, type OperatorPolicy } from './operator-policy.ts'
import { SecretResolver } from './secret-resolver.ts'

const V1 = '0'.repeat(32)
const V2 = 'f'.repeat(32)
const APPLICATION = { tenantId: 'corp.test', clientId: 'app-1', clientSecret: 'its secret' }

let azure: FakeAzure
let url: string

beforeEach(async () => {
  azure = new FakeAzure()
  url = await azure.start()
  azure.applications.set('app-1', { tenantId: 'corp.test', secret: 'its secret' })
  const versions = new Map<string, string>()
  versions.set(V1, 'old')
  versions.set(V2, 'the password')
  azure.secrets.set('bytebase', versions)
  azure.allowed.add('app-1 bytebase')
})

afterEach(() => azure.stop())

function resolver(policy: Partial<OperatorPolicy> = {}): SecretResolver {
  return new SecretResolver({
    dialer: testDialer(),
    policy: { ...CLOSED_POLICY, environment: { AZURE_AUTHORITY_HOST: url }, ...policy },
    clock: { now: () => new Date() },
    ttlMs: 60_000,
    staleMs: 600_000,
    timeoutMs: 2_000,
  })
}

function reference(change: object = {}) {
  return AzureSecretReference.parse({
    source: 'azure_key_vault',
    vaultUrl: url,
    name: 'bytebase',
    ...APPLICATION,
    ...change,
  })
}

describe('Azure Key Vault', () => {
  it('reads the newest version of a secret, or the one that is named', async () => {
    expect(await resolver().resolveReference(reference())).toMatchObject({ version: V2, origin: 'fetched' })
    expect((await resolver().resolveReference(reference())).value.reveal()).toBe('the password')
    expect((await resolver().resolveReference(reference({ version: V1 }))).value.reveal()).toBe('old')
  })

  it.each([
    ['no such secret', { name: 'bytebase-2' }, 'SECRET_SOURCE_DENIED'],
    ['no such version', { version: '1'.repeat(32) }, 'SECRET_SOURCE_NOT_FOUND'],
    ['a wrong client secret', { clientSecret: 'wrong' }, 'SECRET_SOURCE_DENIED'],
    ['another tenant', { tenantId: 'other.test' }, 'SECRET_SOURCE_DENIED'],
    ['a tenant that is a path', { tenantId: '../x' }, 'INVALID_ARGUMENT'],
  ])('explains %s', async (_, change, code) => {
    await expect(resolver().resolveReference(reference(change))).rejects.toMatchObject({ code })
  })

  it('sends the identity of this node to no host but a vault of Microsoft, and for listed secrets alone', async () => {
    const ambient = reference({ clientSecret: undefined })
    await expect(resolver().resolveReference(ambient)).rejects.toMatchObject({ code: 'SECRET_SOURCE_REFUSED' })
    await expect(resolver({ ambientSecretNames: ['*'] }).resolveReference(ambient)).rejects.toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
      message: expect.stringContaining('not sent to an address'),
    })
    expect(azure.requests).toEqual([])
  })
})
