import { readFileSync } from 'node:fs'
import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startChromium } from '../support/chromium.ts'
import { ControlPlane } from '../support/control-plane.ts'
import { LoopbackClient } from '../support/loopback-client.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

/** "Obtain an OAuth token in a user-to-machine flow": a person, a real browser, a native program, a Postgres session. */
describeWith(['psql', 'chromium'], 'signing in by a browser', () => {
  let postern: RunningPostern<DemoReadyFile>
  let chromium: Browser
  let person: BrowserContext
  let email: string
  let password: string
  beforeAll(async () => {
    ;[postern, chromium] = await Promise.all([startDemo(), startChromium()])
    person = await chromium.newContext({ viewport: { width: 1000, height: 800 } })
    person.setDefaultTimeout(10_000)
    email = postern.ready.adminEmail
    password = readFileSync(postern.ready.adminPasswordFile, 'utf8').trim()
  })
  afterAll(() => Promise.allSettled([chromium?.close(), postern?.stop()]))

  test('[D2-020] [D2-021] a person signs in on a page, and the token he gets becomes a psql session in his name', async () => {
    const program = await LoopbackClient.start(postern.ready.httpUrl, 'postern')
    const page = await person.newPage()
    await page.goto(program.authorizationUrl)
    await page.getByLabel('E-mail').fill(email)
    await page.getByLabel('Password').fill('not this one')
    await page.getByRole('button', { name: 'Sign in' }).click()
    expect(await page.getByRole('alert').textContent()).toBe('E-mail or password is wrong.')
    await page.getByLabel('Password').fill(password)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Back in the program' }).waitFor()
    const { access_token: accessToken, scope } = await program.tokens
    expect(scope).toBe('all-apis offline_access')

    const asPerson = new ControlPlane(postern.ready.httpUrl, accessToken)
    expect(await asPerson.expect('GET', '/v1/me')).toMatchObject({ name: email, kind: 'user' })
    const { instance, database } = postern.ready
    const { token } = await asPerson.expect<{ token: string }>('POST', '/api/2.0/database/credentials', {
      instance_names: [instance],
    })
    const login = { user: email, password: token, database }
    const target = postern.libpqTarget({ gatewayHost: `${instance}.postern.localhost` }, login)
    expect(await psql(target, 'select session_user')).toMatchObject({ code: 0, stdout: `${email}\n` })
  })

  test('[D2-023] databricks-cli asks once, in the browser that is signed in already', async () => {
    const page = await person.newPage()
    const first = await LoopbackClient.start(postern.ready.httpUrl, 'databricks-cli')
    await page.goto(first.authorizationUrl)
    await page.getByRole('button', { name: 'Allow' }).click()
    expect(await first.tokens).toMatchObject({ refresh_token: expect.any(String) })
    const second = await LoopbackClient.start(postern.ready.httpUrl, 'databricks-cli')
    await page.goto(second.authorizationUrl)
    await page.getByRole('button', { name: `Continue as ${email}` }).click()
    expect(await second.tokens).toMatchObject({ access_token: expect.any(String) })
  })

  test('a device signs in by a code on the page, also at the width of a phone', async () => {
    const form = { client_id: 'postern', scope: 'all-apis offline_access' }
    const post = async (path: string, body: Record<string, string>) => {
      const answer = await fetch(postern.ready.httpUrl + path, { method: 'POST', body: new URLSearchParams(body) })
      return (await answer.json()) as Record<string, string>
    }
    const device = await post('/oidc/v1/device/authorize', form)
    const page = await person.newPage()
    await page.setViewportSize({ width: 360, height: 640 })
    await page.goto(device.verification_uri ?? '')
    await page.getByLabel('Code').fill(device.user_code ?? '')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('button', { name: 'It is my device' }).click()
    await page.getByRole('button', { name: `Continue as ${email}` }).click()
    await page.getByRole('heading', { name: 'The device is signed in' }).waitFor()
    const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'postern' }
    expect(await post('/oidc/v1/token', { ...grant, device_code: device.device_code ?? '' })).toMatchObject({
      access_token: expect.any(String),
      refresh_token: expect.any(String),
    })
  })

  test('the pages keep their style under their policy, and a sign-out ends the session of the browser', async () => {
    const page = await person.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    await page.goto(`${postern.ready.httpUrl}/oidc/logout`)
    const color = await page.evaluate(`getComputedStyle(document.querySelector('button')).backgroundColor`)
    expect(color).toBe('rgb(138, 75, 31)')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Signed out' }).waitFor()
    expect(complaints).toEqual([])
    const program = await LoopbackClient.start(postern.ready.httpUrl, 'postern')
    program.tokens.catch(() => undefined)
    await page.goto(program.authorizationUrl)
    await page.getByLabel('Password').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await expect(program.tokens).rejects.toThrow('access_denied')
  })
})
