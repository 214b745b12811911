import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ControlPlane, requestToken } from '../support/control-plane.ts'
import { psql, startPsql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

/** People, and a second workspace beside the first: all by the front door, with real psql. */
describeWith(['psql'], 'users and workspaces', () => {
  const email = 'ana@postern.test'
  const password = randomBytes(12).toString('base64url')
  const otherHost = 'second.test'

  let postern: RunningPostern<DemoReadyFile>
  let admin: ControlPlane
  let ana: ControlPlane
  beforeAll(async () => {
    postern = await startDemo()
    admin = await postern.asAdmin()
    const { instance } = postern.ready
    await admin.expect('POST', '/v1/users', { email, displayName: 'Ana', password })
    await admin.expect('POST', `/v1/instances/${instance}/roles`, { principal: { email } })
    ana = await ControlPlane.asUser(postern.ready.httpUrl, email, password)
  })
  afterAll(() => postern?.stop())

  const as = (credential: string, gatewayDomain = 'postern.localhost') => {
    const { instance, database } = postern.ready
    return postern.libpqTarget(
      { gatewayHost: `${instance}.${gatewayDomain}` },
      { user: email, password: credential, database },
    )
  }

  test('[D2-007] [D2-009] a person signs in and logs in to Postgres as herself with a database credential', async () => {
    const credential = await ana.mintCredential(postern.ready.instance)
    expect(await psql(as(credential), 'select session_user')).toMatchObject({ code: 0, stdout: `${email}\n` })
  })

  test('a deactivated user gets nothing from that moment on, and everything when she is active again', async () => {
    const { instance, httpUrl } = postern.ready
    const credential = await ana.mintCredential(instance)
    const open = startPsql(as(credential), [], { keepInputOpen: true })
    open.type('select 41 + 1;\n')
    await expect.poll(() => open.stdout()).toContain('42')

    await admin.expect('PATCH', `/v1/users/${email}`, { active: false })
    const refused = await psql(as(credential), 'select 1')
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toMatch(/authentication failed/)
    expect(refused.stderr).toMatch(/deactivated/)
    expect(await ana.send('GET', '/v1/me')).toMatchObject({ status: 403, body: { code: 'PRINCIPAL_INACTIVE' } })
    const signIn = { grant_type: 'password', client_id: 'postern', username: email, password, scope: 'all-apis' }
    expect(await requestToken(httpUrl, signIn)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    open.type('select 42 + 1;\n')
    await expect.poll(() => open.stdout()).toContain('43')
    open.type('\\q\n')
    expect((await open.ended).code).toBe(0)

    await admin.expect('PATCH', `/v1/users/${email}`, { active: true })
    expect(await psql(as(credential), 'select 1')).toMatchObject({ code: 0 })
  })

  test('an unknown e-mail, a wrong password and a deactivated user read the same answer', async () => {
    const { httpUrl } = postern.ready
    await admin.expect('POST', '/v1/users', { email: 'gone@postern.test', password })
    await admin.expect('PATCH', '/v1/users/gone@postern.test', { active: false })
    const attempts = [
      ['nobody@postern.test', password],
      [email, 'a wrong password'],
      ['gone@postern.test', password],
    ] as const
    const answers = await Promise.all(
      attempts.map(([username, tried]) =>
        requestToken(httpUrl, {
          grant_type: 'password',
          client_id: 'postern',
          username,
          password: tried,
          scope: 'all-apis',
        }),
      ),
    )
    const shown = answers.map(({ status, body, headers }) => ({
      status,
      body,
      headers: [...headers.keys()].filter((name) => name !== 'content-length').toSorted(),
    }))
    expect(shown[0]).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect(shown[1]).toEqual(shown[0])
    expect(shown[2]).toEqual(shown[0])
  })

  test('[D2-015] [D2-016] a second workspace has its own door, and nothing of one opens the other', async () => {
    const { httpUrl, instance } = postern.ready
    await admin.expect('POST', '/v1/workspaces', {
      name: 'second',
      hosts: [otherHost],
      gatewayDomain: 'second.localhost',
      admin: { email },
    })
    // Every node serves a new workspace within ten seconds.
    const signIn = { grant_type: 'password', client_id: 'postern', username: email, password, scope: 'all-apis' }
    await expect
      .poll(async () => (await requestToken(httpUrl, signIn, { host: otherHost })).status, { timeout: 20_000 })
      .toBe(200)
    const token = (await requestToken(httpUrl, signIn, { host: otherHost })).body['access_token'] as string
    const ask = (path: string, host: string | undefined, accessToken: string) =>
      fetch(httpUrl + path, {
        headers: { authorization: `Bearer ${accessToken}`, ...(host !== undefined && { host }) },
      })
    const there = await ask('/v1/me', otherHost, token)
    expect(await there.json()).toMatchObject({ name: email, workspaceRole: 'admin' })
    expect(await (await ask('/v1/me', undefined, ana.accessToken)).json()).toMatchObject({ workspaceRole: 'member' })

    expect((await ask('/v1/me', undefined, token)).status).toBe(401)
    expect((await ask('/v1/me', otherHost, ana.accessToken)).status).toBe(401)
    expect((await ask(`/v1/instances/${instance}`, otherHost, token)).status).toBe(404)
    expect((await ask('/v1/me', 'third.test', token)).status).toBe(404)

    // The same person, the same role: but the credential is of the first workspace.
    const credential = await ana.mintCredential(instance)
    const attempt = psql({ ...as(credential, 'second.localhost'), sslmode: 'require' }, 'select 1')
    expect((await attempt).stderr).toMatch(/authentication failed/)
  })

  test('a password that an administrator sets takes the place of the old one', async () => {
    const { httpUrl } = postern.ready
    await admin.expect('POST', `/v1/users/${email}:setPassword`, { password: 'another password of hers' })
    await expect(ControlPlane.asUser(httpUrl, email, 'another password of hers')).resolves.toBeDefined()
    await expect(ControlPlane.asUser(httpUrl, email, password)).rejects.toThrow(/invalid_grant/)
  })
})
