import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { FakeIssuer } from '../../test/support/fake-issuer.ts'
import { bearer, type HttpFixture, requestToken, startHttpFixture } from '../../test/support/http-app.ts'
import { IdentityProvider, identityProviderClient, type Person } from '../../test/support/identity-provider.ts'
import { authorizationRequest } from '../../test/support/oauth-sign-in.ts'
import { WebBrowser, type WebPage } from '../../test/support/web-browser.ts'
import type { PrincipalId } from '../base/ids.ts'
import { CreateSsoProviderInput, type UpdateSsoProviderInput } from '../contract/sso-providers.ts'
import { createGroup } from '../identity/create-group.ts'
import { createUser } from '../identity/create-user.ts'
import { createWorkspace } from '../identity/create-workspace.ts'
import { createSsoProvider, type SsoProvider, updateSsoProvider } from '../identity/sso/sso-providers.ts'
import { updateGroup } from '../identity/update-group.ts'
import { updateUser } from '../identity/update-user.ts'
import { assignToWorkspace } from '../identity/workspace-assignments.ts'

let postgres: EmbeddedPostgres
let company: IdentityProvider
let fixture: HttpFixture
let provider: SsoProvider

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  company = await IdentityProvider.start()
})
afterAll(async () => {
  await company.stop()
  await postgres.stop()
})
beforeEach(async () => {
  fixture = await startHttpFixture(await postgres.freshStore())
  provider = await addProvider()
  company.person = ann
  return () => fixture.close()
})

const ann: Person = { sub: 'ann-1', email: 'ann@acme.test', email_verified: true, name: 'Ann of Acme' }

function addProvider(more: Partial<CreateSsoProviderInput> = {}) {
  const input = { name: 'Acme', issuer: company.issuer, ...identityProviderClient, createsUsers: true, ...more }
  return createSsoProvider(fixture.deps, fixture.admin, CreateSsoProviderInput.parse(input))
}

async function change(input: UpdateSsoProviderInput) {
  provider = await updateSsoProvider(fixture.deps, fixture.admin, provider.id, input)
}

function queryOf(values: Record<string, string>): string {
  return new URLSearchParams(values).toString()
}

/** Opens the sign-in page and follows its link as far as the identity provider. */
async function leave(browser: WebBrowser, through = provider): Promise<WebPage> {
  const page = await browser.open(authorizationRequest('postern').path)
  const link = new RegExp(`href="(/login/sso/${through.id}[^"]*)"`).exec(page.body)?.[1]
  return browser.open((link ?? 'no-link').replaceAll('&amp;', '&'))
}

async function signIn(browser = new WebBrowser(fixture.app)): Promise<WebPage> {
  return browser.open(await company.signIn((await leave(browser)).url))
}

/** Who came back signed in; the program gets its code. */
async function signedInAs(page: WebPage): Promise<string> {
  expect(page.url.searchParams.get('code'), page.body).not.toBeNull()
  const { rows } = await fixture.deps.store.pool.query<{ actor_name: string }>(
    `select actor_name from audit_event where action = 'signIn' and outcome = 'allowed' order by occurred_at desc limit 1`,
  )
  return rows[0]?.actor_name ?? ''
}

async function lastDenial(): Promise<string> {
  const { rows } = await fixture.deps.store.pool.query<{ reason: string }>(
    `select reason from audit_event where action = 'signIn' and outcome = 'denied' order by occurred_at desc limit 1`,
  )
  return rows[0]?.reason ?? ''
}

const addUser = (email: string) => createUser(fixture.deps, fixture.admin, { email, workspaceRole: 'member' })

async function linkedTo(subject: string): Promise<string | undefined> {
  const { rows } = await fixture.deps.store.pool.query<{ id: string }>(
    'select principal_id::text as id from sso_identity where subject = $1',
    [subject],
  )
  return rows[0]?.id
}

it('signs somebody new in through the identity provider, and makes him a Workspace Member', async () => {
  const away = await leave(new WebBrowser(fixture.app))
  expect(away.url.origin).toBe(company.issuer)
  expect(Object.fromEntries(away.url.searchParams)).toMatchObject({
    client_id: identityProviderClient.clientId,
    code_challenge_method: 'S256',
    response_type: 'code',
    redirect_uri: `http://127.0.0.1/login/sso/${provider.id}/callback`,
    nonce: expect.stringMatching(/^[\w-]{43}$/),
  })
  expect(await signedInAs(await signIn())).toBe('ann@acme.test')
  const { rows } = await fixture.deps.store.pool.query(
    `select p.display_name, a.role, u.password_hash from user_account u join principal p on p.id = u.principal_id
       join workspace_assignment a on a.principal_id = p.id where u.email = 'ann@acme.test'`,
  )
  expect(rows).toEqual([{ display_name: 'Ann of Acme', role: 'member', password_hash: null }])
})

it('knows him by issuer and subject from then on, whatever becomes of his e-mail address', async () => {
  await signIn()
  const id = await linkedTo('ann-1')
  company.person = { ...ann, email: 'ann.married@acme.test', email_verified: false }
  await signedInAs(await signIn())
  expect(await linkedTo('ann-1')).toBe(id)
  company.person = { ...ann, sub: 'thief-2' }
  expect((await signIn()).body).toContain('Somebody else of Acme signs in with your e-mail address')
  expect(await lastDenial()).toBe('EMAIL_OF_ANOTHER')
  expect(await linkedTo('thief-2')).toBeUndefined()
})

it('takes a user that is here already for his own by a verified e-mail address alone', async () => {
  const here = await addUser('Ann@acme.test')
  for (const email_verified of [false, undefined, 'no']) {
    company.person = { ...ann, email_verified }
    expect((await signIn()).status).toBe(403)
    expect(await lastDenial()).toBe('NO_BELIEVED_EMAIL')
  }
  company.person = ann
  await signedInAs(await signIn())
  expect(await linkedTo('ann-1')).toBe(here.id)
})

it('believes an issuer of the domains that an administrator names, and of no others', async () => {
  await change({ emailDomains: ['acme.test'] })
  company.person = { sub: 'ann-1', email: 'ann@ACME.test' }
  await signedInAs(await signIn())
  for (const email of ['boss@other.test', 'x@acme.test.other.test', 'x@sub.acme.test', 'a@b@acme.test', 'ann', '']) {
    company.person = { sub: `sub of ${email}`, email, email_verified: true }
    expect((await signIn()).status, email).toBe(403)
  }
})

it('takes a verified e-mail address for proof of no other claim that holds an address', async () => {
  await addUser('boss@acme.test')
  await change({ emailClaim: 'name' })
  company.person = { sub: 'thief', name: 'boss@acme.test', email: 'thief@acme.test', email_verified: true }
  expect((await signIn()).status).toBe(403)
  expect(await lastDenial()).toBe('NO_BELIEVED_EMAIL')
  await change({ emailDomains: ['acme.test'] })
  await signedInAs(await signIn())
})

it('takes nobody in whom another workspace made: its administrators could sign in with a password of theirs', async () => {
  const { deps, admin } = fixture
  const second = await createWorkspace(deps, admin, {
    name: 'second',
    hosts: ['second.test'],
    gatewayDomain: 'second.test',
  })
  const there = { ...admin, workspaceId: second.id }
  const { id } = await createUser(deps, there, { email: 'ann@acme.test', workspaceRole: null })
  expect((await signIn()).body).toContain('belongs to another workspace')
  expect(await lastDenial()).toBe('USER_OF_ANOTHER_WORKSPACE')
  expect(await linkedTo('ann-1')).toBeUndefined()
  await assignToWorkspace(deps, admin, { id }, 'member')
  await signedInAs(await signIn())
  expect(await linkedTo('ann-1')).toBe(id)
})

it('creates nobody where it is not told to', async () => {
  await change({ createsUsers: false })
  expect((await signIn()).body).toContain('You are not a user of this workspace')
  expect(await lastDenial()).toBe('UNKNOWN_USER')
  await addUser('ann@acme.test')
  await signedInAs(await signIn())
})

it('refuses a deactivated user and one that was taken out of the workspace', async () => {
  await signIn()
  const id = (await linkedTo('ann-1')) as PrincipalId
  await updateUser(fixture.deps, fixture.admin, id, { active: false })
  expect((await signIn()).body).toContain('You are deactivated here')
  await updateUser(fixture.deps, fixture.admin, id, { active: true, workspaceRole: null })
  expect((await signIn()).body).toContain('do not belong to this workspace')
})

it('puts people into the groups that a claim names, and takes them out of those alone that a claim gave', async () => {
  const group = (displayName: string, externalId?: string) =>
    createGroup(fixture.deps, fixture.admin, { displayName, workspaceRole: null, externalId })
  const [analysts, ops, byHand] = [await group('analysts'), await group('Operations', 'ops-7'), await group('by hand')]
  await change({ groupsClaim: 'teams' })
  const groupsOf = async () => {
    const { rows } = await fixture.deps.store.pool.query<{ name: string }>(
      `select g.display_name as name from group_member m join principal g on g.id = m.group_id
       where m.member_id = $1 order by 1`,
      [await linkedTo('ann-1')],
    )
    return rows.map(({ name }) => name)
  }
  company.person = { ...ann, teams: ['analysts', 'ops-7', 'ANALYSTS', 'nowhere', 7] }
  await signedInAs(await signIn())
  expect(await groupsOf()).toEqual(['Operations', 'analysts'].toSorted())
  await updateGroup(fixture.deps, fixture.admin, byHand.id, { addMembers: [(await linkedTo('ann-1')) as PrincipalId] })
  company.person = { ...ann, teams: 'analysts' }
  await signedInAs(await signIn())
  expect(await groupsOf()).toEqual(['analysts', 'by hand'])
  company.person = ann
  await signedInAs(await signIn())
  expect(await groupsOf()).toEqual(['by hand'])
  expect([analysts, ops].every(({ isOwn }) => isOwn)).toBe(true)
})

it('switches passwords off, on the page and for programs, once an administrator has come in this way', async () => {
  await expect(change({ enforced: true })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await signIn()
  await expect(change({ enforced: true })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  const form = {
    grant_type: 'password',
    client_id: 'postern',
    username: fixture.adminEmail,
    password: fixture.adminPassword.reveal(),
  }
  expect((await requestToken(fixture.app, { form })).statusCode).toBe(200)
  await updateUser(fixture.deps, fixture.admin, (await linkedTo('ann-1')) as PrincipalId, { workspaceRole: 'admin' })
  await change({ enforced: true })
  const page = await new WebBrowser(fixture.app).open(authorizationRequest('postern').path)
  expect(page.body).not.toContain('type="password"')
  expect((await requestToken(fixture.app, { form })).json()).toEqual({
    error: 'invalid_grant',
    error_description: 'E-mail or password is wrong',
  })
  expect(await lastDenial()).toBe('PASSWORD_NOT_OFFERED')
})

it('takes an answer in the browser alone that asked, once, and with the state that it was given', async () => {
  const browser = new WebBrowser(fixture.app)
  const back = await company.signIn((await leave(browser)).url)
  expect((await new WebBrowser(fixture.app).open(back)).body).toContain('begun in another browser')
  const other = new WebBrowser(fixture.app)
  await leave(other)
  expect((await other.open(back)).status).toBe(404)
  const forged = new URL(back)
  forged.searchParams.set('state', `${back.searchParams.get('state')?.slice(0, -1)}_`)
  expect((await browser.open(forged)).status).toBe(404)
  forged.searchParams.delete('state')
  expect((await browser.open(forged)).status).toBe(404)
  await signedInAs(await browser.open(back))
  expect((await browser.open(back)).body).toContain('refused Postern: invalid_grant')
})

it('signs nobody in by a link that somebody else began: the sign-in page was not seen in this browser', async () => {
  const thief = new WebBrowser(fixture.app)
  const page = await thief.open(authorizationRequest('postern').path)
  const link = /href="(\/login\/sso\/[^"]*)"/.exec(page.body)?.[1] ?? ''
  const victim = new WebBrowser(fixture.app)
  const back = await company.signIn((await victim.open(link)).url)
  expect((await victim.open(back)).body).toContain('begun in another browser')
  expect((await thief.open(back)).status).toBe(404)
})

it('sends the code of one issuer to no other: each has its own address, and says who it is', async () => {
  const evil = await IdentityProvider.start()
  const other = await addProvider({ name: 'Evil', issuer: evil.issuer })
  const browser = new WebBrowser(fixture.app)
  const back = await company.signIn((await leave(browser)).url)
  const moved = new URL(back)
  moved.pathname = `/login/sso/${other.id}/callback`
  expect((await browser.open(moved)).status).toBe(404)
  expect(back.searchParams.get('iss')).toBe(company.issuer)
  const mixed = new URL(back)
  mixed.searchParams.set('iss', evil.issuer)
  expect((await browser.open(mixed)).status).toBe(502)
  const unsigned = new URL(back)
  unsigned.searchParams.delete('iss')
  expect((await browser.open(unsigned)).status).toBe(502)
  expect(evil.requests.filter((path) => path === '/token')).toEqual([])
  await evil.stop()
})

it('shows what went wrong as a page: cancelled, misconfigured, away, and no words of strangers', async () => {
  company.person = null
  const cancelled = await signIn()
  expect([cancelled.status, cancelled.heading]).toEqual([403, 'You are not signed in'])
  expect(cancelled.body).toContain('Acme did not sign you in (access_denied)')
  company.person = ann
  await change({ clientSecret: 'wrong' })
  expect((await signIn()).body).toContain('refused Postern: invalid_client')
  const browser = new WebBrowser(fixture.app)
  const { url } = await leave(browser)
  const state = url.searchParams.get('state') ?? ''
  const spoken = `/login/sso/${provider.id}/callback?${queryOf({ state, iss: company.issuer, error: 'Call 555-1234 <b>' })}&error_description=Call`
  const said = await browser.open(spoken)
  expect(said.body).not.toMatch(/Call/)
  const issuer = await FakeIssuer.start()
  const gone = await addProvider({ name: 'Gone', issuer: `${issuer.url}/none` })
  expect((await leave(new WebBrowser(fixture.app), gone)).status).toBe(502)
  await issuer.stop()
})

it('takes no ID token that is not signed by the issuer for this client and this sign-in', async () => {
  const issuer = await FakeIssuer.start()
  const endpoints = { authorization_endpoint: `${issuer.url}/authorize`, token_endpoint: `${issuer.url}/token` }
  const metadata = { issuer: issuer.url, jwks_uri: `${issuer.url}/keys`, ...endpoints }
  const document = { ...metadata, response_types_supported: ['code'], subject_types_supported: ['public'] }
  issuer.answers.set('/.well-known/openid-configuration', {
    status: 200,
    body: JSON.stringify({ ...document, id_token_signing_alg_values_supported: ['RS256', 'HS256'] }),
  })
  const fake = await addProvider({ name: 'Fake', issuer: issuer.url, clientSecret: undefined })
  const attempt = async (claims: object, key?: Parameters<FakeIssuer['sign']>[2], header = {}) => {
    const browser = new WebBrowser(fixture.app)
    const { url } = await leave(browser, fake)
    const nonce = url.searchParams.get('nonce') ?? ''
    const token = await issuer.sign({ ...ann, aud: identityProviderClient.clientId, nonce, ...claims }, header, key)
    const body = JSON.stringify({ access_token: 'x', token_type: 'Bearer', id_token: token })
    issuer.answers.set('/token', { status: 200, body })
    const state = url.searchParams.get('state') ?? ''
    return browser.open(`/login/sso/${fake.id}/callback?${queryOf({ state, code: 'x' })}`)
  }
  expect(await signedInAs(await attempt({}))).toBe('ann@acme.test')
  const thief = await FakeIssuer.start()
  for (const page of [
    await attempt({ aud: 'another-client' }),
    await attempt({ aud: [identityProviderClient.clientId, 'another'], azp: 'another' }),
    await attempt({ iss: 'https://elsewhere.test' }),
    await attempt({ nonce: 'of another sign-in' }),
    await attempt({ nonce: undefined }),
    await attempt({ exp: Math.floor(Date.now() / 1000) - 60 }),
    await attempt({ sub: undefined }),
    await attempt({}, thief.keys[0]),
    await attempt({}, issuer.keys[0], { kid: 'unknown' }),
  ]) {
    expect(page.status, page.body).toBe(502)
  }
  await Promise.all([issuer.stop(), thief.stop()])
})

it('never shows the client secret, and opens it for the issuer that it was given for alone', async () => {
  const token = await requestToken(fixture.app, {
    form: {
      grant_type: 'password',
      client_id: 'postern',
      username: fixture.adminEmail,
      password: fixture.adminPassword.reveal(),
    },
  })
  const headers = bearer(token.json().access_token)
  const shown = await fixture.app.inject({ url: '/v1/ssoProviders', headers })
  expect(shown.json().ssoProviders).toMatchObject([{ name: 'Acme', hasClientSecret: true }])
  const { rows } = await fixture.deps.store.pool.query('select e::text, p::text from audit_event e, sso_provider p')
  expect(shown.body + JSON.stringify(rows)).not.toContain(identityProviderClient.clientSecret)
  const thief = await IdentityProvider.start()
  await fixture.deps.store.pool.query('update sso_provider set issuer = $1', [thief.issuer])
  expect((await leave(new WebBrowser(fixture.app))).status).toBe(500)
  expect(thief.requests).not.toContain('/token')
  await thief.stop()
})
