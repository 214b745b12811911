import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { WorkspaceClient } from '@databricks/sdk-experimental'
import type { Browser, Page } from 'playwright-core'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startChromium } from '../support/chromium.ts'
import { psql, startPsql } from '../support/psql.ts'
import { repositoryRoot } from '../support/repository.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo, temporaryFolder } from '../support/running-postern.ts'
import { runProgram, startProgram, type RunningProgram } from '../support/running-program.ts'

const launcher = join(repositoryRoot, 'bin/postern')

interface LocalPort {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly password: string
}

/** "You can obtain an OAuth token from … the Databricks CLI": the command line of a person, from sign-in to sign-out. */
describeWith(['psql', 'chromium'], 'the command line of a person', () => {
  let postern: RunningPostern<DemoReadyFile>
  let chromium: Browser
  let page: Page
  let home: string
  let env: Record<string, string>
  beforeAll(async () => {
    home = temporaryFolder('person-')
    mkdirSync(join(home, 'config'))
    ;[postern, chromium] = await Promise.all([startDemo(), startChromium()])
    page = await chromium.newPage()
    page.setDefaultTimeout(10_000)
    env = { HOME: home, XDG_CONFIG_HOME: join(home, 'config'), POSTERN_HOST: postern.ready.httpUrl, LC_ALL: 'C.UTF-8' }
  })
  afterAll(async () => {
    await Promise.allSettled([chromium?.close(), postern?.stop()])
    rmSync(home, { recursive: true })
  })

  const run = (...args: string[]) => runProgram(launcher, args, { env })
  const start = (...args: string[]) => startProgram(launcher, args, { env, timeoutMs: 60_000 })

  test('[D2-021] `postern login` signs in with the browser, and shows nothing of the tokens', async () => {
    const login = start('login', '--no-browser')
    await page.goto(await said(login, /(http\S+authorize\S+)/))
    await page.getByLabel('E-mail').fill(postern.ready.adminEmail)
    await page.getByLabel('Password').fill(readFileSync(postern.ready.adminPasswordFile, 'utf8').trim())
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Signed in' }).waitFor()
    const end = await login.ended
    expect(end).toMatchObject({ code: 0, stdout: '' })
    expect(end.stderr).toContain(`Signed in to ${postern.ready.httpUrl} as ${postern.ready.adminEmail}.`)
    expect(end.stderr).not.toMatch(/eyJ/)
    expect((await run('whoami')).stdout).toContain(postern.ready.adminEmail)
    expect(statSync(sessionFile()).mode & 0o777).toBe(0o600)
  })

  test('eight programs that renew at the same time share one sign-in, which goes on', async () => {
    const renewals = await Promise.all(Array.from({ length: 8 }, () => run('auth', 'token', '--force-refresh')))
    expect(renewals.map(({ code, stderr }) => [code, stderr])).toEqual(renewals.map(() => [0, '']))
    const { access_token: accessToken, token_type: type, expiry } = JSON.parse((await run('auth', 'token')).stdout)
    expect({ accessToken, type, expiry }).toEqual({
      accessToken: expect.stringMatching(/^eyJ/),
      type: 'Bearer',
      expiry: expect.stringMatching(/Z$/),
    })
    expect(await run('auth', 'token', '--force-refresh')).toMatchObject({ code: 0 })
  }, 40_000)

  test('the SDK of Databricks takes `postern` for its command line', async () => {
    const standIn = join(home, 'databricks')
    const variables = Object.entries(env).map(([name, value]) => `export ${name}='${value}'`)
    writeFileSync(standIn, ['#!/bin/sh', ...variables, `exec '${launcher}' "$@"`, ''].join('\n'), { mode: 0o700 })
    const host = postern.ready.httpUrl
    const sdk = new WorkspaceClient({ host, authType: 'databricks-cli', databricksCliPath: standIn })
    expect(await sdk.currentUser.me()).toMatchObject({ userName: postern.ready.adminEmail })
  })

  test('`postern psql` and `postern token --instance` log in as the person', async () => {
    const { instance, adminEmail } = postern.ready
    const statement = ['-At', '-c', 'select session_user']
    expect(await run('psql', instance, ...statement)).toMatchObject({ code: 0, stdout: `${adminEmail}\n` })
    const { stdout } = await run('token', '--instance', instance, '--lifetime', '5m')
    const { iat, exp } = JSON.parse(Buffer.from(stdout.split('.')[1] ?? '', 'base64url').toString())
    expect(exp - iat).toBe(300)
    expect(await run('psql', instance, '--read-only', '-c', 'select 1')).toMatchObject({
      stderr: expect.stringContaining('read-only data source'),
    })
  })

  test('a member logs in as the group, and with a credential for the group as nobody else', async () => {
    const { instance, adminEmail } = postern.ready
    await run('group', 'create', 'Data Team')
    await run('group', 'member', 'add', 'Data Team', '--user', adminEmail)
    expect(await run('role', 'bind', instance, '--group', 'Data Team')).toMatchObject({ code: 0 })
    const asGroup = ['psql', instance, '--group', 'Data Team', '-At', '-c', 'select session_user']
    expect(await run(...asGroup)).toMatchObject({ code: 0, stdout: 'Data Team\n' })
    expect(await run(...asGroup, '--role', adminEmail)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('issued for the Postgres role of a group'),
    })
  })

  test('`postern connect` gives every session of a local tool a credential of its own', async () => {
    const tool = start('connect', postern.ready.instance, '--port', '0', '--output', 'json')
    const port = await localPort(tool)
    expect(port).toMatchObject({ host: '127.0.0.1', user: postern.ready.adminEmail })
    const target = { ...port, sslmode: 'disable' }
    const sessions = await Promise.all([1, 2, 3].map((n) => psql(target, `select session_user || ${n}`)))
    expect(sessions.map(({ stdout }) => stdout)).toEqual([1, 2, 3].map((n) => `${port.user}${n}\n`))
    // What it is asked for, and by whom, is for the gateway to judge.
    expect(await psql({ ...target, user: 'postgres' }, 'select 1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('authentication failed'),
    })

    const long = startPsql(target, ['--command', 'select pg_sleep(60)'])
    await untilRunning(postern, target)
    long.signal('SIGINT')
    expect((await long.ended).stderr).toContain('canceling statement due to user request')

    const open = new Client({ ...port, ssl: false })
    open.on('error', () => undefined)
    await open.connect()
    tool.signal('SIGTERM')
    expect(await tool.ended).toMatchObject({ code: 0 })
    await expect(open.query('select 1')).rejects.toThrow()
  }, 40_000)

  test('whoever does not know the local password reaches nothing, and the password stays from run to run', async () => {
    const tool = start('connect', postern.ready.instance, '--port', '0', '--output', 'json')
    const port = await localPort(tool)
    const target = { ...port, sslmode: 'disable' }
    expect(await psql({ ...target, password: 'guessed' }, 'select 1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('this is not the local password'),
    })
    const { password: none, ...withoutPassword } = target
    expect(await psql(withoutPassword, 'select 1')).toMatchObject({ code: 2 })
    tool.signal('SIGINT')
    expect(await tool.ended).toMatchObject({ code: 0 })
    const again = start('connect', postern.ready.instance, '--port', '0', '--output', 'json')
    expect((await localPort(again)).password).toBe(none)
    again.signal('SIGTERM')
    await again.ended
  })

  test('`postern login --device --profile` signs in by a code on another machine, beside the other sign-in', async () => {
    const login = start('login', '--device', '--profile', 'other')
    const address = await said(login, /(http\S+\/oidc\/device)/)
    const code = await said(login, /enter this code: (\S+)/)
    await page.goto(address)
    await page.getByLabel('Code').fill(code)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('button', { name: 'It is my device' }).click()
    await page.getByRole('button', { name: /^Continue as/ }).click()
    expect(await login.ended).toMatchObject({ code: 0 })
    expect((await run('profile', 'list')).stdout).toContain(postern.ready.httpUrl)
    const { POSTERN_HOST: _, ...elsewhere } = env
    const whoami = await runProgram(launcher, ['whoami', '--profile', 'other'], { env: elsewhere })
    expect(whoami.stdout).toContain(postern.ready.adminEmail)
  }, 40_000)

  test('`postern logout` ends the sign-in at the server too: what was copied from its file opens nothing', async () => {
    const { tokens } = JSON.parse(readFileSync(sessionFile(), 'utf8')) as { tokens: { refreshToken: string } }
    expect(await run('logout', '--output', 'json')).toMatchObject({
      stdout: expect.stringContaining('"revoked": true'),
    })
    const form = { grant_type: 'refresh_token', client_id: 'postern', refresh_token: tokens.refreshToken }
    const answer = await fetch(`${postern.ready.httpUrl}/oidc/v1/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
    })
    expect(await answer.json()).toMatchObject({ error_description: 'Refresh token is invalid' })
    expect(await run('whoami')).toMatchObject({ code: 3 })
    expect(await run('whoami', '--profile', 'other')).toMatchObject({ code: 0 })
  })

  function sessionFile(): string {
    const folder = join(home, 'config/postern/sessions')
    const name = readdirSync(folder).find((each) => each.startsWith('http') && each.endsWith('.json'))
    return join(folder, name ?? '')
  }
})

/** What a program says to its person, once it does. */
async function said(program: RunningProgram, pattern: RegExp): Promise<string> {
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
    const found = pattern.exec(program.stderr())?.[1]
    if (found !== undefined) return found
    await sleep(50)
  }
  throw new Error(`never said: ${program.stderr()}`)
}

async function localPort(program: RunningProgram): Promise<LocalPort> {
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
    if (program.stdout().trimEnd().endsWith('}')) return JSON.parse(program.stdout())
    await sleep(50)
  }
  throw new Error(`no port: ${program.stderr()}`)
}

/** Until the statement of another session is seen to run. */
async function untilRunning(postern: RunningPostern, target: Parameters<typeof psql>[0]): Promise<void> {
  const sql = "select count(*) from pg_stat_activity where query like 'select pg_sleep(60)%' and state = 'active'"
  for (let tries = 0; tries < 100; tries++) {
    if ((await psql(target, sql)).stdout === '1\n') return
    await sleep(50)
  }
  throw new Error(`the statement never ran\n${postern.logs()}`)
}
