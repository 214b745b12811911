import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { type Forge, openForge } from '../support/forge.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

const neutral = /password authentication failed for user/

/** What does not open a session, and what the sender is told. */
describeWith(['psql'], 'a login is refused', () => {
  let postern: RunningPostern<DemoReadyFile>
  let application: ControlPlane
  let admin: ControlPlane
  let forge: Forge
  let credential: string
  let clientId: string
  beforeAll(async () => {
    postern = await startDemo()
    clientId = postern.ready.servicePrincipal.clientId
    application = await postern.asServicePrincipal(clientId, postern.ready.servicePrincipal.clientSecret)
    admin = await postern.asAdmin()
    credential = await application.mintCredential('sample')
    forge = await openForge(postern)
  })
  afterAll(async () => {
    await forge?.close()
    await postern?.stop()
  })

  const logIn = (password: string, change: Partial<Parameters<typeof psql>[0]> = {}, sql = 'select 1') => {
    const login = { user: clientId, password, database: postern.ready.database }
    return psql({ ...postern.libpqTarget({ gatewayHost: 'sample.postern.localhost' }, login), ...change }, sql)
  }
  const expectNeutral = async (password: string, change: Partial<Parameters<typeof psql>[0]> = {}) => {
    const { code, stderr } = await logIn(password, change)
    expect(code).toBe(2)
    expect(stderr).toMatch(neutral)
    return stderr.replaceAll(change.user ?? clientId, '<user>')
  }
  const part = (token: string, at: number) =>
    JSON.parse(Buffer.from(token.split('.')[at] as string, 'base64url').toString())
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const lastDenial = async () => {
    const { auditEvents } = await admin.expect<{
      auditEvents: { reason: string; actor: { name: string | null } | null }[]
    }>('GET', '/v1/auditEvents?action=login&outcome=denied&pageSize=1')
    return auditEvents[0]
  }
  const lastReason = async () => (await lastDenial())?.reason

  test('the credential that all of these are made from does open one', async () => {
    expect(await logIn(credential)).toMatchObject({ code: 0 })
  })

  test('with a wrong password, a tampered credential, alg none, a foreign key: one neutral sentence, and the reason in the audit', async () => {
    const [header, payload, signature] = credential.split('.') as [string, string, string]
    const claims = part(credential, 1)
    const attempts: [string, string][] = [
      ['wrong', 'NATIVE_LOGIN_DISABLED'],
      [`${header}.${encode({ ...claims, sub: '100000000000000' })}.${signature}`, 'BAD_SIGNATURE'],
      [`${encode({ ...part(credential, 0), alg: 'none' })}.${payload}.`, 'BAD_SIGNATURE'],
      [`${encode({ ...part(credential, 0), alg: 'HS256' })}.${payload}.${signature}`, 'BAD_SIGNATURE'],
      [forge.withForeignKey(claims), 'UNKNOWN_KEY'],
      [forge.credential({ iss: 'urn:postern:workspace:1' }, claims), 'WRONG_ISSUER'],
      [forge.credential({ iat: claims.iat + 3600, exp: claims.exp + 3600 }, claims), 'NOT_YET_VALID'],
    ]
    const sentences = new Set<string>()
    for (const [password, reason] of attempts) {
      sentences.add(await expectNeutral(password))
      expect(await lastReason()).toBe(reason)
    }
    expect(sentences.size).toBe(1)
  })

  test('with an access token: it is for the API, never a password', async () => {
    await expectNeutral(application.accessToken)
    expect(await lastReason()).toBe('WRONG_TYPE')
  })

  test('with an account password: it never logs in to a database', async () => {
    const password = readFileSync(postern.ready.adminPasswordFile, 'utf8').trim()
    await expectNeutral(password, { user: postern.ready.adminEmail })
    await expectNeutral(password, { user: 'postern_admin' })
  })

  test('as an unknown Postgres role with a password, in the same words as for a known one', async () => {
    expect(await expectNeutral('guess', { user: 'nobody' })).toBe(await expectNeutral('guess'))
  })

  test('[D2-012] with an expired credential, and its holder is told so', async () => {
    const claims = part(credential, 1)
    const expired = forge.credential({ iat: claims.iat - 4000, exp: claims.exp - 4000 }, claims)
    const { code, stderr } = await logIn(expired)
    expect(code).toBe(2)
    expect(stderr).toMatch(/authentication failed: the database credential expired \d+ minutes? ago/)
    expect(stderr).toContain('HINT')
    expect(await lastReason()).toBe('CREDENTIAL_EXPIRED')
  })

  test('[D2-016] with a credential of another workspace, in neutral words', async () => {
    const other = await forge.credentialOfOtherWorkspace(part(credential, 1))
    await expectNeutral(other)
    expect(await lastReason()).toBe('OTHER_WORKSPACE')
    const { code, stderr } = await logIn(other, { host: 'localhost', options: 'endpoint=sample' })
    expect(code).toBe(2)
    expect(stderr).toMatch(/authentication failed/)
  })

  test('[D2-015] with a credential for another instance, and its holder is told so', async () => {
    await admin.createManagedInstance('second')
    await admin.bindPostgresRole('second', clientId)
    const second = await application.mintCredential('second')
    const { code, stderr } = await logIn(second)
    expect(code).toBe(2)
    expect(stderr).toContain('this credential was not issued for instance "sample"')
    const both = await application.mintCredential('second', 'sample')
    expect(await logIn(both)).toMatchObject({ code: 0 })
    await admin.expect('DELETE', '/v1/instances/second')
  })

  test('as the Postgres role of somebody else, or one that is bound to nobody', async () => {
    const other = await logIn(credential, { user: postern.ready.adminEmail })
    expect(other.stderr).toContain('belongs to another principal')
    expect(await lastDenial()).toMatchObject({ reason: 'ROLE_OF_ANOTHER', actor: { name: clientId } })
    const unbound = await logIn(credential, { user: 'postern_admin' })
    expect(unbound.stderr).toContain('is not bound to any principal')
    const supervisor = await logIn(credential, { user: 'postern_supervisor' })
    expect(supervisor.stderr).toContain('is not bound to any principal')
  })

  test('[D2-018] [D2-019] without TLS, before a password is asked for, and the client is told what to set', async () => {
    const { code, stderr } = await logIn(credential, { sslmode: 'disable', sslrootcert: '' })
    expect(code).toBe(2)
    expect(stderr).toContain('before a password was asked')
    expect(stderr).toContain('sslmode=require')
  })

  test('where host name, option and database disagree, or nothing names the instance', async () => {
    const conflict = await logIn(credential, { options: 'endpoint=other' })
    expect(conflict.stderr).toContain('two different instances')
    expect((await logIn(credential, { host: 'localhost', database: 'sample/databricks_postgres' })).code).toBe(0)
    expect((await logIn(credential, { host: 'localhost', options: 'endpoint=sample' })).code).toBe(0)
    expect((await logIn(credential, { host: 'localhost' })).code).toBe(0)
  })

  test('to an unknown database, in the words of Postgres itself', async () => {
    const { stderr } = await logIn(credential, { database: 'nowhere' })
    expect(stderr).toContain('database "nowhere" does not exist')
  })

  test('after the principal was deactivated, at once', async () => {
    const leaver = await admin.createServicePrincipal('leaver')
    await admin.bindPostgresRole('sample', leaver.clientId)
    const token = await (
      await postern.asServicePrincipal(leaver.clientId, leaver.clientSecret)
    ).mintCredential('sample')
    expect(await logIn(token, { user: leaver.clientId })).toMatchObject({ code: 0 })
    await admin.expect('PATCH', `/v1/servicePrincipals/${leaver.clientId}`, { active: false })
    const { code, stderr } = await logIn(token, { user: leaver.clientId })
    expect(code).toBe(2)
    expect(stderr).toContain('authentication failed')
  })

  test('to an instance that was deleted and made again under the same name', async () => {
    await admin.createManagedInstance('phoenix')
    await admin.bindPostgresRole('phoenix', clientId)
    const old = await application.mintCredential('phoenix')
    await admin.expect('DELETE', '/v1/instances/phoenix')
    await expect
      .poll(async () => (await admin.send('GET', '/v1/instances/phoenix')).status, { timeout: 30_000 })
      .toBe(404)
    await admin.createManagedInstance('phoenix')
    await admin.bindPostgresRole('phoenix', clientId)
    const { stderr } = await logIn(old, { host: 'phoenix.postern.localhost' })
    expect(stderr).toContain('was not issued for instance "phoenix"')
  })
})
