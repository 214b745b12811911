import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { type Forge, openForge } from '../support/forge.ts'
import { psql, startPsql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

describeWith(['psql'], 'Postgres roles for identities, made in SQL', () => {
  let postern: RunningPostern<DemoReadyFile>
  let admin: ControlPlane
  let forge: Forge
  beforeAll(async () => {
    postern = await startDemo()
    admin = await postern.asAdmin()
    forge = await openForge(postern)
  })
  afterAll(async () => {
    await forge?.close()
    await postern?.stop()
  })

  const targetOf = (user: string, password: string) =>
    postern.libpqTarget(
      { gatewayHost: 'sample.postern.localhost' },
      { user, password, database: postern.ready.database },
    )
  const adminTarget = async () => targetOf(postern.ready.adminEmail, await admin.mintCredential('sample'))
  const creating = (name: string) => `select databricks_create_role('${name}', 'SERVICE_PRINCIPAL');`

  test('come with the extension in a session of an administrator, and log in through the gateway a moment later', async () => {
    const robot = await admin.createServicePrincipal('robot')
    const input = `create extension if not exists databricks_auth;\n${creating(robot.clientId)}\n\\q\n`
    const made = await startPsql(await adminTarget(), [], { input }).ended
    expect(made).toMatchObject({ code: 0 })
    const own = await postern.asServicePrincipal(robot.clientId, robot.clientSecret)
    await expect
      .poll(
        async () => {
          const token = await own.mintCredential('sample').catch(() => undefined)
          if (token === undefined) return 'no credential yet'
          return (await psql(targetOf(robot.clientId, token), 'select session_user')).stdout
        },
        { timeout: 10_000, interval: 200 },
      )
      .toBe(`${robot.clientId}\n`)
    const list = `select identity_type, state from databricks_list_roles where role_name = '${robot.clientId}'`
    const listed = async () => (await psql(await adminTarget(), list)).stdout
    await expect.poll(listed, { timeout: 5_000 }).toBe('service_principal|bound\n')
    const roles = await admin.expect<{ roles: { roleName: string }[] }>('GET', '/v1/instances/sample/roles')
    expect(roles.roles.map(({ roleName }) => roleName)).toContain(robot.clientId)
  })

  test('[D2-014] databricks_create_role works before the credential of the session expires and fails after it, while plain SQL goes on', async () => {
    const [before, after] = [await admin.createServicePrincipal('before'), await admin.createServicePrincipal('after')]
    const setUp = 'create extension if not exists databricks_auth'
    expect(await psql(await adminTarget(), setUp)).toMatchObject({ code: 0 })
    const claims = JSON.parse(
      Buffer.from((await admin.mintCredential('sample')).split('.')[1] as string, 'base64url').toString(),
    )
    const soon = Math.floor(Date.now() / 1000) + 4
    const shortLived = targetOf(
      postern.ready.adminEmail,
      forge.credential({ iat: soon - 3600, exp: soon, jti: randomUUID() }, claims),
    )
    const session = startPsql(shortLived, ['--set=ON_ERROR_STOP=0'], { keepInputOpen: true })
    session.type(`${creating(before.clientId)}\nselect 'made';\n`)
    await expect.poll(() => session.stdout(), { timeout: 3_500 }).toContain('made')
    expect(session.stderr()).toBe('')
    await sleep(soon * 1000 - Date.now() + 50)
    session.type(`${creating(after.clientId)}\nselect 'plain SQL';\n`)
    await expect.poll(() => session.stdout()).toContain('plain SQL')
    expect(session.stderr()).toContain('the database credential of this session expired')
    session.type('\\q\n')
    await session.ended
    const count = `select count(*) from pg_roles where rolname in ('${before.clientId}', '${after.clientId}')`
    expect((await psql(await adminTarget(), count)).stdout).toBe('1\n')
  })
})
