import { afterAll, beforeAll, expect, test } from 'vitest'
import { ControlPlane } from '../support/control-plane.ts'
import { psql, startPsql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

const password = 'your strong password'

/** The second document: "Authenticate as Databricks group" and "Authenticate with Postgres roles and passwords", with real psql. */
describeWith(['psql'], 'at the gateway', () => {
  let postern: RunningPostern<DemoReadyFile>
  let admin: ControlPlane
  /** Ana is in `juniors`, which is in `Analysts`; the service principal is in `Analysts` itself. */
  let ana: ControlPlane
  let robot: ControlPlane
  const id = new Map<string, string>()
  beforeAll(async () => {
    // Two workers: what one of them is told, both must hear.
    postern = await startDemo({ flags: ['--gateway-workers', '2'] })
    const { clientId, clientSecret } = postern.ready.servicePrincipal
    admin = await postern.asAdmin()
    robot = await postern.asServicePrincipal(clientId, clientSecret)
    const user = { email: 'ana@example.test', password }
    id.set('ana', (await admin.expect<{ id: string }>('POST', '/v1/users', user)).id)
    ana = await ControlPlane.asUser(postern.ready.httpUrl, user.email, password)
    await makeGroup('juniors', [{ email: user.email }], null)
    await makeGroup('Analysts', [{ group: 'juniors' }, { clientId }])
    await makeGroup('Outsiders', [{ clientId }, { email: user.email }])
    for (const group of ['Analysts', 'Outsiders'])
      await admin.expect('POST', '/v1/instances/sample/roles', { principal: { group } })
    await admin.expect('PATCH', '/v1/groups/Outsiders', { workspaceRole: null })
    await admin.expect('POST', '/v1/instances/sample/roles', { principal: { email: user.email } })
    await as(
      clientId,
      await robot.mintCredential('sample'),
      'create schema robots; create table robots.notes (text text)',
    )
    await as(clientId, await robot.mintCredential('sample'), 'grant usage on schema robots to "Analysts"')
    await as(clientId, await robot.mintCredential('sample'), 'grant select on robots.notes to "Analysts"')
  })
  afterAll(() => postern?.stop())

  const makeGroup = async (displayName: string, members: object[], workspaceRole: string | null = 'member') => {
    const group = { displayName, members, workspaceRole }
    id.set(displayName, (await admin.expect<{ id: string }>('POST', '/v1/groups', group)).id)
  }
  const target = (user: string, secret: string) =>
    postern.libpqTarget(
      { gatewayHost: 'sample.postern.localhost' },
      { user, password: secret, database: postern.ready.database },
    )
  const as = (user: string, secret: string, sql: string) => psql(target(user, secret), sql)
  const mint = async (who: ControlPlane, wish: object = {}) =>
    (await who.expect<{ token: string }>('POST', '/v1/databaseCredentials', { instanceNames: ['sample'], ...wish }))
      .token
  const update = (change: object) => admin.expect('PATCH', '/v1/instances/sample', change)
  const openSession = async (user: string, secret: string) => {
    const session = startPsql(target(user, secret), [], { keepInputOpen: true })
    session.type('select session_user;\n')
    await expect.poll(() => session.stdout()).toContain(user)
    return session
  }

  test('[D2-045] [D2-047] [D2-049] [D2-053] [D2-054] any direct or indirect member of a group, user or service principal, logs in as the group with his own credential', async () => {
    for (const member of [ana, robot]) {
      expect(await as('Analysts', await mint(member), 'select session_user')).toMatchObject({
        code: 0,
        stdout: 'Analysts\n',
      })
    }
    // As the Postgres role is spelled, in its very case.
    expect((await as('analysts', await mint(ana), 'select 1')).stderr).toContain('is not bound to any principal')
    expect((await as('Analysts', await mint(admin), 'select 1')).stderr).toContain(
      'that the principal is not a member of',
    )
  })

  test('[D2-046] [D2-048] permissions are those of the group role in Postgres: a member as himself has none of them', async () => {
    const reading = 'select count(*) from robots.notes'
    expect(await as('Analysts', await mint(ana), reading)).toMatchObject({ code: 0 })
    const alone = await as('ana@example.test', await mint(ana), reading)
    expect(alone.stderr).toContain('permission denied')
    const memberships = `select count(*) from pg_auth_members where roleid = '"Analysts"'::regrole and member = '"ana@example.test"'::regrole`
    expect(await as('Analysts', await mint(ana), memberships)).toMatchObject({ stdout: '0\n' })
  })

  test('[D2-050] [D2-051] [D2-052] membership is validated when the login happens: an open session of a removed member lives on, his next login is refused', async () => {
    const secret = await mint(ana)
    const session = await openSession('Analysts', secret)
    await admin.expect('DELETE', `/v1/groups/juniors/members/${id.get('ana')}`)
    expect((await as('Analysts', secret, 'select 1')).stderr).toContain('that the principal is not a member of')
    session.type("select 'still open';\n\\c\n")
    const { stdout, stderr } = await session.ended
    expect(stdout).toContain('still open')
    expect(stderr).toContain('that the principal is not a member of')
    await admin.expect('POST', '/v1/groups/juniors/members', { members: [{ email: 'ana@example.test' }] })
    expect(await as('Analysts', secret, 'select 1')).toMatchObject({ code: 0 })
  })

  test('[D2-055] only groups that are assigned to the workspace are logged in as', async () => {
    const refused = await as('Outsiders', await mint(robot), 'select 1')
    expect(refused).toMatchObject({ code: 2 })
    expect(refused.stderr).toContain('is not assigned to the workspace')
  })

  test('[D2-022] a credential for a group logs in as that group and nothing else, for as long as was asked', async () => {
    const secret = await mint(robot, { groupName: 'Analysts', lifetimeSeconds: 300 })
    expect(await as('Analysts', secret, 'select session_user')).toMatchObject({ stdout: 'Analysts\n' })
    const himself = await as(postern.ready.servicePrincipal.clientId, secret, 'select 1')
    expect(himself.stderr).toContain('this credential was issued for the Postgres role of a group')
    const { iat, exp } = JSON.parse(Buffer.from(secret.split('.')[1] as string, 'base64url').toString())
    expect(exp - iat).toBe(300)
    const readOnly = await robot.send('POST', '/v1/databaseCredentials', { instanceNames: ['sample'], readOnly: true })
    expect(readOnly.status).toBe(400)
  })

  test('[D2-002] [D2-005] [D2-006] [D2-008] [D2-057] [D2-058] [D2-065] [D2-066] [D2-067] a role that CREATE ROLE made logs in by its password, once native role login is switched on', async () => {
    const { clientId } = postern.ready.servicePrincipal
    await admin.expect('PATCH', `/v1/instances/sample/roles/${clientId}`, { attributes: { createRole: true } })
    const made = await as(clientId, await mint(robot), `create role new_role login password '${password}'`)
    expect(made.stderr).toBe('')
    const off = await as('new_role', password, 'select 1')
    expect(off.stderr).toContain('password authentication failed for user "new_role"')
    await update({ nativeLoginEnabled: true })
    expect(await as('new_role', password, 'select session_user')).toMatchObject({ code: 0, stdout: 'new_role\n' })
    await as(
      clientId,
      await mint(robot),
      'grant usage on schema robots to new_role; grant select on robots.notes to new_role',
    )
    expect(await as('new_role', password, 'select count(*) from robots.notes')).toMatchObject({ stdout: '0\n' })
    expect((await as('new_role', 'wrong', 'select 1')).stderr).toContain(
      'password authentication failed for user "new_role"',
    )
    const withoutTls = await psql({ ...target('new_role', password), sslmode: 'disable', sslrootcert: '' }, 'select 1')
    expect(withoutTls.stderr).toContain('sslmode=require')
  })

  test('native role login opens no bound role, and none of Postern, whatever their password', async () => {
    await update({ nativeLoginEnabled: true })
    const { clientId } = postern.ready.servicePrincipal
    await as(clientId, await mint(robot), `alter role current_user password '${password}'`)
    for (const role of [clientId, 'Analysts', 'postern_admin', 'postern_supervisor', 'databricks_superuser', 'nobody'])
      expect((await as(role, password, 'select 1')).stderr).toContain(
        `password authentication failed for user "${role}"`,
      )
    expect(await as(clientId, await mint(robot), 'select 1')).toMatchObject({ code: 0 })
  })

  test('native role login that is switched off again refuses the next login and leaves open sessions alone', async () => {
    await update({ nativeLoginEnabled: true })
    const session = await openSession('new_role', password)
    await update({ nativeLoginEnabled: false })
    expect((await as('new_role', password, 'select 1')).stderr).toContain('password authentication failed')
    session.type("select 'still open';\n\\q\n")
    expect((await session.ended).stdout).toContain('still open')
  })

  test('an access token of the workspace is a password only where the instance says so', async () => {
    const { clientId } = postern.ready.servicePrincipal
    expect((await as(clientId, robot.accessToken, 'select 1')).stderr).toContain('password authentication failed')
    await update({ accessTokenLoginEnabled: true })
    expect(await as('Analysts', robot.accessToken, 'select session_user')).toMatchObject({ stdout: 'Analysts\n' })
    await update({ accessTokenLoginEnabled: false })
    expect((await as(clientId, robot.accessToken, 'select 1')).stderr).toContain('password authentication failed')
  })

  test('where an instance wants it, what runs stops and the session ends with 57P01 when access is taken away, on every worker', async () => {
    await update({ endSessionsOnRevocation: true })
    const secret = await mint(ana)
    const asGroup = await Promise.all(Array.from({ length: 6 }, () => openSession('Analysts', secret)))
    const asHerself = await openSession('ana@example.test', secret)
    for (const session of asGroup) session.type('\\set VERBOSITY verbose\nselect pg_sleep(60);\n')
    await admin.expect('DELETE', `/v1/groups/juniors/members/${id.get('ana')}`)
    for (const session of asGroup) expect((await session.ended).stderr).toContain('57P01')
    // What she holds herself is not touched by it, until she is deactivated.
    asHerself.type("\\set VERBOSITY verbose\nselect 'still open';\n")
    await expect.poll(() => asHerself.stdout()).toContain('still open')
    asHerself.type('select pg_sleep(60);\n')
    await admin.expect('PATCH', '/v1/users/ana@example.test', { active: false })
    expect((await asHerself.ended).stderr).toContain('57P01')
    const { auditEvents } = await admin.expect<{ auditEvents: unknown[] }>(
      'GET',
      '/v1/auditEvents?action=session.revoke',
    )
    expect(auditEvents).toHaveLength(7)
  })
})
