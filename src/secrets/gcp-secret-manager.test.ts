import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeGoogle } from '../../test/support/fake-google.ts'
import { temporaryFolder } from '../../test/support/running-postern.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { GcpSecretReference } from '../contract/secret-references.ts'
import { dialledSecretHttp } from './dialled-secret-http.ts'
import { createGcpSecretManagerSource, gcpSecretManagerSource } from './gcp-secret-manager.ts'
import { CLOSED_POLICY, type OperatorPolicy } from './operator-policy.ts'
import type { SecretHttp } from './secret-http.ts'
import type { SecretSource } from './secret-source.ts'

const SECRET = 'projects/228712144016/secrets/DB_PASSWORD'
let google: FakeGoogle
let endpoint: string
let source: SecretSource<GcpSecretReference>

beforeEach(async () => {
  google = new FakeGoogle('https://www.googleapis.com/auth/cloud-platform')
  endpoint = await google.start()
  google.versions.set(`${SECRET}/versions/1`, Buffer.from('the old one'))
  google.versions.set(`${SECRET}/versions/2`, Buffer.from('the password'))
  const { hostname, port } = new URL(endpoint)
  source = createGcpSecretManagerSource([
    { uri: google.tokenUri, host: hostname, port: Number(port), tlsCa: google.caPem },
  ])
})

afterEach(() => google.stop())

function reference(change: object = {}): GcpSecretReference {
  return GcpSecretReference.parse({
    source: 'gcp_secret_manager',
    name: SECRET,
    serviceAccount: google.keyJson(),
    endpoint,
    ...change,
  })
}

function context(policy: Partial<OperatorPolicy> = {}) {
  const dialer = testDialer()
  // The fake has an authority of its own, which no reference can name: Google's is public.
  const plain = dialledSecretHttp(dialer)
  const http: SecretHttp = { request: (request) => plain.request({ ...request, tls: { caPem: google.caPem } }) }
  const signal = AbortSignal.timeout(5_000)
  return { http, dialer, policy: { ...CLOSED_POLICY, ...policy }, signal, now: () => new Date() }
}

async function read(change: object = {}): Promise<string | undefined> {
  const { values } = await source.fetch(reference(change), context())
  return values.get('')?.reveal()
}

describe('GCP Secret Manager', () => {
  it('[D1-128] [D1-141] [D1-147] reads the secret by its full name: the newest version, or the one that is named', async () => {
    expect(await read()).toBe('the password')
    expect(await read({ name: `${SECRET}/versions/1` })).toBe('the old one')
    expect((await source.fetch(reference(), context())).version).toBe('2')
  })

  it('says which role is missing', async () => {
    google.canAccess = false
    await expect(read()).rejects.toMatchObject({
      code: 'SECRET_SOURCE_DENIED',
      hint: expect.stringContaining('roles/secretmanager.secretAccessor'),
    })
  })

  it.each([
    ['a secret that is not there', { name: `${SECRET}_2` }, 'SECRET_SOURCE_NOT_FOUND'],
    ['a version that is not there', { name: `${SECRET}/versions/9` }, 'SECRET_SOURCE_NOT_FOUND'],
    ['a key that is no JSON', { serviceAccount: 'nothing' }, 'INVALID_ARGUMENT'],
  ])('explains %s', async (_, change, code) => {
    await expect(read(change)).rejects.toMatchObject({ code })
  })

  it('says that a version is disabled, and that the service cannot answer now', async () => {
    google.versions.set(`${SECRET}/versions/2`, null)
    await expect(read()).rejects.toMatchObject({ code: 'SECRET_SOURCE_NOT_FOUND' })
    google.status = 503
    await expect(read()).rejects.toMatchObject({ code: 'SECRET_SOURCE_UNAVAILABLE' })
  })

  it('takes bytes that are no text for no password', async () => {
    google.versions.set(`${SECRET}/versions/2`, Buffer.from([0xff, 0xfe]))
    await expect(read()).rejects.toMatchObject({ code: 'SECRET_SOURCE_INVALID' })
  })

  it('shows the key of a service account to Google alone, whatever token endpoint it names', async () => {
    const attempt = gcpSecretManagerSource.fetch(reference(), context())
    await expect(attempt).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(google.requests).toEqual([])
  })

  it('[D1-142] [D1-143] [D1-146] reads with the key file that Postern was started with', async () => {
    const folder = temporaryFolder('key-file-')
    writeFileSync(join(folder, 'key.json'), google.keyJson())
    const environment = { GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'key.json') }
    const { http, ...listed } = context({ ambientSecretNames: [SECRET], environment })
    // Google's own address, which the fake answers for.
    const asGoogle: SecretHttp = {
      request: (request) => http.request({ ...request, url: new URL(request.url.pathname, endpoint) }),
    }
    const ambient = reference({ serviceAccount: undefined, endpoint: undefined })
    const { values } = await source.fetch(ambient, { ...listed, http: asGoogle })
    rmSync(folder, { recursive: true })
    expect(values.get('')?.reveal()).toBe('the password')
  })

  it('[D1-144] [D1-145] names the key file that cannot be read, and says that a container must mount it', async () => {
    const environment = { GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent/key.json' }
    const listed = context({ ambientSecretNames: [SECRET], environment })
    const ambient = reference({ serviceAccount: undefined, endpoint: undefined })
    await expect(source.fetch(ambient, listed)).rejects.toMatchObject({
      code: 'SECRET_SOURCE_NOT_FOUND',
      message: expect.stringContaining('/nonexistent/key.json'),
      hint: expect.stringContaining('mounted'),
    })
    expect(google.requests).toEqual([])
  })

  it('reads nothing with the identity of this node that the operator has not listed, and at no other address', async () => {
    const ambient = reference({ serviceAccount: undefined })
    await expect(source.fetch(ambient, context())).rejects.toMatchObject({ code: 'SECRET_SOURCE_REFUSED' })
    const listed = context({ ambientSecretNames: [SECRET] })
    await expect(source.fetch(ambient, listed)).rejects.toMatchObject({
      code: 'SECRET_SOURCE_REFUSED',
      message: expect.stringContaining('not sent to an address'),
    })
    expect(google.requests).toEqual([])
  })
})
