import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { type Forge, openForge } from '../support/forge.ts'
import { psql, runLibpqProgram, startPsql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

/** What an open session is worth: it lives on, it can be cancelled, and it carries bytes unchanged. */
describeWith(['psql', 'pgbench'], 'an open session', () => {
  let postern: RunningPostern<DemoReadyFile>
  let application: ControlPlane
  let admin: ControlPlane
  let forge: Forge
  beforeAll(async () => {
    postern = await startDemo()
    const { clientId, clientSecret } = postern.ready.servicePrincipal
    application = await postern.asServicePrincipal(clientId, clientSecret)
    admin = await postern.asAdmin()
    forge = await openForge(postern)
  })
  afterAll(async () => {
    await forge?.close()
    await postern?.stop()
  })

  const targetWith = (password: string) => {
    const { database, servicePrincipal } = postern.ready
    const login = { user: servicePrincipal.clientId, password, database }
    return postern.libpqTarget({ gatewayHost: 'sample.postern.localhost' }, login)
  }
  const target = async () => targetWith(await application.mintCredential('sample'))

  test('[D2-012] [D2-013] [D2-014] lives on after its credential expires, while a new login and \\c are refused', async () => {
    const claims = JSON.parse(
      Buffer.from((await application.mintCredential('sample')).split('.')[1] as string, 'base64url').toString(),
    )
    const soon = Math.floor(Date.now() / 1000) + 3
    const shortLived = targetWith(forge.credential({ iat: soon - 3600, exp: soon }, claims))
    const session = startPsql(shortLived, [], { keepInputOpen: true })
    session.type("select 'before';\n")
    await expect.poll(() => session.stdout(), { timeout: 3_000 }).toContain('before')
    await sleep(soon * 1000 - Date.now() + 50)
    session.type("select 'after';\n")
    await expect.poll(() => session.stdout()).toContain('after')
    const again = await psql(shortLived, 'select 1')
    expect(again).toMatchObject({ code: 2 })
    expect(again.stderr).toContain('expired')
    session.type('\\c\n')
    const ended = await session.ended
    expect(ended.stderr).toContain('expired')
  })

  test('Ctrl-C in psql cancels pg_sleep', async () => {
    const startedAt = performance.now()
    const session = startPsql(await target(), [], { keepInputOpen: true })
    session.type("select 'up';\nselect pg_sleep(30);\n")
    await expect.poll(() => session.stdout()).toContain('up')
    await sleep(300)
    session.signal('SIGINT')
    const { stderr } = await session.ended
    expect(stderr).toContain('canceling statement due to user request')
    expect(performance.now() - startedAt).toBeLessThan(20_000)
  })

  test('keeps the process id of the upstream', async () => {
    const { stdout } = await psql(
      await target(),
      'select pg_backend_pid() = pid from pg_stat_activity where pid = pg_backend_pid()',
    )
    expect(stdout).toBe('t\n')
  })

  test('copies 40 MB in and out with equal hashes', async () => {
    const line = (i: number) => `${i}\t${createHash('sha512').update(String(i)).digest('base64')}\n`
    const rows = Array.from({ length: 400_000 }, (_, i) => line(i)).join('')
    const into = await runLibpqProgram(
      'psql',
      await target(),
      [
        '-q',
        '-v',
        'ON_ERROR_STOP=1',
        '-c',
        'create table public.bulk (n int, t text)',
        '-c',
        '\\copy public.bulk from pstdin',
      ],
      { input: rows, timeoutMs: 60_000 },
    )
    expect(into).toMatchObject({ code: 0, stderr: '' })
    const out = await psql(await target(), '\\copy (select * from public.bulk order by n) to pstdout', {
      timeoutMs: 60_000,
    })
    const hash = (text: string) => createHash('sha256').update(text).digest('hex')
    expect(hash(out.stdout)).toBe(hash(rows))
  })

  test('runs pgbench: prepared statements, several sessions at once', async () => {
    const options = { timeoutMs: 60_000 }
    const made = await runLibpqProgram('pgbench', await target(), ['-i', '-s', '1', '-q'], options)
    expect(made).toMatchObject({ code: 0 })
    const run = await runLibpqProgram('pgbench', await target(), ['-M', 'prepared', '-c', '8', '-t', '50'], options)
    expect(run.code).toBe(0)
    expect(run.stdout).toContain('number of failed transactions: 0')
  })

  test('takes whatever settings the client starts with, and strips only its own', async () => {
    const { stdout } = await psql(
      {
        ...(await target()),
        options: '-c search_path=shop endpoint=sample -c statement_timeout=7s',
        applicationName: 'my report',
      },
      "select current_setting('search_path'), current_setting('statement_timeout'), current_setting('application_name')",
    )
    expect(stdout).toBe('shop|7s|my report\n')
  })

  test('of an identity that changes its own password gains nothing by it', async () => {
    const { clientId } = postern.ready.servicePrincipal
    const changed = await psql(await target(), `alter role "${clientId}" password 'my own password'`)
    expect(changed.code).toBe(0)
    const { code, stderr } = await psql(targetWith('my own password'), 'select 1')
    expect(code).toBe(2)
    expect(stderr).toContain('password authentication failed')
    expect(await psql(await target(), 'select 1')).toMatchObject({ code: 0 })
  })

  test('as a group: a direct or indirect member logs in, and membership is read at login only [D2-049] [D2-050] [D2-051] [D2-052]', async () => {
    const { clientId } = postern.ready.servicePrincipal
    await forge.group('analysts', { containing: await forge.group('juniors', { containing: clientId }) })
    await admin.expect('POST', '/v1/instances/sample/roles', { principal: { group: 'analysts' } })
    const asGroup = { ...(await target()), user: 'analysts' }
    const session = startPsql(asGroup, [], { keepInputOpen: true })
    session.type('select session_user;\n')
    await expect.poll(() => session.stdout()).toContain('analysts')
    await forge.removeMember('juniors', clientId)
    const refused = await psql(asGroup, 'select 1')
    expect(refused.stderr).toContain('not a member of')
    session.type("select 'still open';\n\\q\n")
    expect((await session.ended).stdout).toContain('still open')
  })
})
