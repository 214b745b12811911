import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditEvent } from '../../src/contract/audit-events.ts'
import type { ControlPlane } from '../support/control-plane.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

/** "Obtain an OAuth token in a machine-to-machine flow": a secret becomes an access token, a credential and a Postgres session. */
describeWith(['psql'], 'machine to machine', () => {
  let postern: RunningPostern<DemoReadyFile>
  let application: ControlPlane
  let admin: ControlPlane
  beforeAll(async () => {
    postern = await startDemo()
    const { clientId, clientSecret } = postern.ready.servicePrincipal
    application = await postern.asServicePrincipal(clientId, clientSecret)
    admin = await postern.asAdmin()
  })
  afterAll(() => postern?.stop())

  const mint = (body: unknown = { instance_names: [postern.ready.instance] }, as = application) =>
    as.send<{ token: string; expiration_time: string; error_code?: string; message?: string }>(
      'POST',
      '/api/2.0/database/credentials',
      body,
    )
  const target = (password: string) => {
    const { instance, database, servicePrincipal } = postern.ready
    const login = { user: servicePrincipal.clientId, password, database }
    return postern.libpqTarget({ gatewayHost: `${instance}.postern.localhost` }, login)
  }

  test('[D2-010] [D2-030] [D2-031] [D2-040] a secret becomes an access token, a database credential and a psql session', async () => {
    const { body } = await mint()
    const run = await psql(target(body.token), 'select session_user, count(*) from shop.book')
    expect(run).toMatchObject({ code: 0, stdout: `${postern.ready.servicePrincipal.clientId}|12\n` })
  })

  test('[D2-070] node-postgres connects with the same credential', async () => {
    const { body } = await mint()
    const { gatewayHost, gatewayPort, servicePrincipal, database } = postern.ready
    const client = new pg.Client({
      host: gatewayHost,
      port: gatewayPort,
      user: servicePrincipal.clientId,
      password: body.token,
      database,
      ssl: { ca: postern.ca },
    })
    await client.connect()
    const { rows } = await client.query('select $1::int + 1 as n', [41])
    expect(rows).toEqual([{ n: 42 }])
    await client.end()
  })

  test('[D2-038] [D2-039] [D2-041] [D2-043] the answer is a token and its expiry in whole seconds of UTC', async () => {
    const { status, body } = await mint({ request_id: 'f3b1', instance_names: [postern.ready.instance] })
    expect(status).toBe(200)
    expect(Object.keys(body).toSorted()).toEqual(['expiration_time', 'token'])
    expect(body.expiration_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    const claims = JSON.parse(Buffer.from(body.token.split('.')[1] as string, 'base64url').toString())
    expect(new Date(body.expiration_time).getTime()).toBe(claims.exp * 1000)
    expect(claims.exp - claims.iat).toBe(3600)
    expect(Buffer.byteLength(body.token)).toBeLessThan(1024)
  })

  test('[D2-032] [D2-033] [D2-035] a new service principal works with a secret that has no expiry, again and again', async () => {
    const created = await admin.createServicePrincipal('nightly report')
    const listed = await admin.expect<{ secrets: { expiresAt: string | null }[] }>(
      'GET',
      `/v1/servicePrincipals/${created.clientId}/secrets`,
    )
    expect(listed.secrets.map((secret) => secret.expiresAt)).toEqual([null])
    await admin.expect('POST', `/v1/instances/${postern.ready.instance}/roles`, {
      principal: { clientId: created.clientId },
    })
    for (let i = 0; i < 3; i++) {
      const report = await postern.asServicePrincipal(created.clientId, created.clientSecret)
      const { body } = await mint(undefined, report)
      const run = await psql({ ...target(body.token), user: created.clientId }, 'select 1')
      expect(run).toMatchObject({ code: 0, stdout: '1\n' })
    }
  })

  test('[D2-022] a credential without a name, with claims, for an unknown instance or without a Postgres role is refused by name', async () => {
    expect(await mint({})).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } })
    const claims = [{ permission_set: 'READ_ONLY', resources: [{ table_name: 't' }] }]
    expect(await mint({ instance_names: [postern.ready.instance], claims })).toMatchObject({ status: 400 })
    const unknown = await mint({ instance_names: ['nowhere'] })
    expect(unknown).toMatchObject({ status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST' } })
    expect(unknown.body.message).toContain('nowhere')
    const stranger = await admin.createServicePrincipal('stranger')
    const refused = await mint(undefined, await postern.asServicePrincipal(stranger.clientId, stranger.clientSecret))
    expect(refused).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } })
    expect(refused.body.message).toMatch(/sample.*Postgres role/)
  })

  test('[D2-036] a credential is minted only while the instance is AVAILABLE, and the refusal names its state', async () => {
    await admin.createManagedInstance('nap')
    await admin.expect('POST', '/v1/instances/nap:stop', {})
    await expect
      .poll(async () => (await admin.expect<{ state: string }>('GET', '/v1/instances/nap')).state, { timeout: 20_000 })
      .toBe('STOPPED')
    const { status, body } = await mint({ instance_names: ['nap'] }, admin)
    expect(status).toBe(400)
    expect(body).toMatchObject({ error_code: 'INVALID_STATE' })
    expect(body.message).toContain('STOPPED')
    await admin.expect('DELETE', '/v1/instances/nap')
  })

  test('credential, login and session leave audit records without the token', async () => {
    const { body } = await mint({ request_id: 'audit-me', instance_names: [postern.ready.instance] })
    await psql(target(body.token), 'select 1')
    await psql(target(`${body.token.slice(0, -8)}AAAAAAAA`), 'select 1')
    const events = async () =>
      (await admin.expect<{ auditEvents: AuditEvent[] }>('GET', '/v1/auditEvents?pageSize=200')).auditEvents
    await expect.poll(async () => (await events()).map((event) => event.action)).toContain('session.end')
    const all = await events()
    const issued = all.find((event) => event.detail['callerRequestId'] === 'audit-me')
    expect(issued).toMatchObject({ action: 'credential.issue', outcome: 'allowed' })
    const login = all.find((event) => event.action === 'login' && event.outcome === 'allowed')
    expect(login?.actor.name).toBe(postern.ready.servicePrincipal.clientId)
    const start = all.find((event) => event.action === 'session.start')
    const end = all.find((event) => event.action === 'session.end' && event.sessionId === start?.sessionId)
    expect(end?.detail['upstreamPid']).toBe(start?.detail['upstreamPid'])
    expect(end?.detail['bytesFromUpstream']).toBeGreaterThan(0)
    expect(all.find((event) => event.action === 'login' && event.outcome === 'denied')).toMatchObject({
      reason: 'BAD_SIGNATURE',
    })
    expect(JSON.stringify(all)).not.toContain(body.token.slice(-40))
    expect(postern.logs()).not.toContain(body.token.slice(-40))
    expect(postern.logs()).not.toContain(postern.ready.servicePrincipal.clientSecret)
  })
})
