import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import {
  accessTokenOf,
  addServicePrincipal,
  bearer,
  type HttpFixture,
  startHttpFixture,
} from '../../test/support/http-app.ts'
import { type ErrorCode, ERRORS } from '../base/error-table.ts'
import { PosternError } from '../base/errors.ts'
import { ApiError, Problem } from '../contract/problem.ts'
import { asRequestError, failureAnswer } from './problem.ts'

describe('failureAnswer', () => {
  const codes = Object.keys(ERRORS) as ErrorCode[]
  const id = 'request-1'

  it('renders every error of the table on all three surfaces', () => {
    for (const code of codes) {
      const error = new PosternError(code, 'What happened')
      const problem = failureAnswer(error, { path: '/v1/x', id })
      expect(problem).toMatchObject({ status: ERRORS[code].http, contentType: 'application/problem+json' })
      expect(Problem.parse(problem.body)).toMatchObject({ code, detail: 'What happened', requestId: id })
      const api = failureAnswer(error, { path: '/api/2.0/x', id })
      expect(ApiError.parse(api.body).error_code).toBe(ERRORS[code].apiCode)
      const oauth = failureAnswer(error, { path: '/oidc/x', id })
      expect(oauth.body).toEqual({ error: ERRORS[code].oauth, error_description: 'What happened' })
    }
  })

  it('lets nothing of a failure that is not ours out but the request id', () => {
    const error = asRequestError(new Error('password=hunter2 at /srv/secret.ts'))
    for (const path of ['/v1/x', '/api/2.0/x', '/oidc/x']) {
      const answer = failureAnswer(error, { path, id })
      expect(answer.status).toBe(500)
      expect(JSON.stringify(answer)).not.toContain('hunter2')
    }
  })

  it('cannot be made to write a second header through a message', () => {
    const error = new PosternError('UNAUTHENTICATED', 'a"b\r\nSet-Cookie: x')
    expect(failureAnswer(error, { path: '/v1/x', id }).headers['www-authenticate']).toBe(
      'Bearer error="invalid_token", error_description="abSet-Cookie: x"',
    )
  })
})

describe('over HTTP', () => {
  let postgres: EmbeddedPostgres
  let fixture: HttpFixture
  let headers: Record<string, string>
  beforeAll(async () => {
    postgres = await startEmbeddedPostgres()
    fixture = await startHttpFixture(await postgres.freshStore())
    headers = bearer(await accessTokenOf(fixture.app, await addServicePrincipal(fixture, 'admin')))
  })
  afterAll(async () => {
    await fixture.close()
    await postgres.stop()
  })

  it('names every wrong field at once', async () => {
    const payload = { displayName: '', workspaceRole: 'king', extra: 1 }
    const answer = await fixture.app.inject({ method: 'POST', url: '/v1/servicePrincipals', headers, payload })
    expect(answer.statusCode).toBe(400)
    const { code, detail } = answer.json()
    expect(code).toBe('INVALID_ARGUMENT')
    for (const field of ['displayName', 'workspaceRole', 'extra']) expect(detail).toContain(field)
    const query = await fixture.app.inject({ url: '/v1/auditEvents?pageSize=0&since=yesterday', headers })
    expect(query.json().detail).toMatch(/query.*pageSize.*since/)
    const path = await fixture.app.inject({ url: '/v1/servicePrincipals/nobody', headers })
    expect(path.json().detail).toMatch(/path.*clientId/)
  })

  it('answers an unknown path as JSON in the words of its surface', async () => {
    const get = (url: string) => fixture.app.inject({ url })
    expect((await get('/v1/nothing')).json()).toMatchObject({ code: 'NOT_FOUND', status: 404 })
    const api = await get('/api/2.0/nothing?x=1')
    expect(api.headers['content-type']).toMatch(/^application\/json/)
    expect(api.json()).toEqual({
      error_code: 'RESOURCE_DOES_NOT_EXIST',
      message: 'GET /api/2.0/nothing does not exist',
    })
    expect((await get('/oidc/nothing')).json()).toHaveProperty('error')
    expect((await get('/v1/%zz')).statusCode).toBe(400)
  })

  it('refuses a body that is no JSON, is of another type, or reaches for prototypes', async () => {
    const post = (payload: string, type = 'application/json') =>
      fixture.app.inject({
        method: 'POST',
        url: '/v1/servicePrincipals',
        headers: { ...headers, 'content-type': type },
        payload,
      })
    expect((await post('{')).json()).toMatchObject({ code: 'MALFORMED_REQUEST', status: 400 })
    expect((await post('displayName=x', 'text/plain')).json()).toMatchObject({ code: 'MALFORMED_REQUEST' })
    expect((await post('{"displayName":"x","__proto__":{"a":1}}')).json()).toMatchObject({ code: 'MALFORMED_REQUEST' })
    expect((await post('[]')).json()).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect((await post('')).json()).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('refuses a body over 1 MiB', async () => {
    const payload = JSON.stringify({ displayName: 'x'.repeat(1024 * 1024) })
    const request = {
      method: 'POST',
      url: '/v1/servicePrincipals',
      headers: { ...headers, 'content-type': 'application/json' },
      payload,
    } as const
    expect((await fixture.app.inject(request)).json()).toMatchObject({ code: 'REQUEST_TOO_LARGE', status: 413 })
  })

  it('keeps a sane request id of the caller, makes one otherwise, and always answers with it', async () => {
    const idFor = async (id: string) =>
      (await fixture.app.inject({ url: '/healthz', headers: { 'x-request-id': id } })).headers['x-request-id']
    expect(await idFor('caller:0123-4567')).toBe('caller:0123-4567')
    for (const insane of ['', 'short', 'a'.repeat(129), 'with space inside', '<script>alert</script>']) {
      expect(await idFor(insane)).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('sends security headers with every answer, and a policy that lets the page run no script', async () => {
    for (const url of ['/', '/healthz', '/nothing', '/oidc/v1/keys']) {
      const { headers: sent } = await fixture.app.inject({ url })
      expect(sent['x-content-type-options'], url).toBe('nosniff')
      expect(sent['x-frame-options'], url).toBe('DENY')
      expect(sent['content-security-policy'], url).toMatch(/^default-src 'none'/)
      expect(sent['content-security-policy'], url).not.toContain('unsafe')
    }
    const page = await fixture.app.inject({ url: '/' })
    expect(page.headers['content-type']).toMatch(/^text\/html/)
    expect(page.body).not.toContain('<script')
  })

  it('wants instance names or claims for a database credential, and ignores no claim', async () => {
    const post = async (payload: object) => {
      const answer = await fixture.app.inject({
        method: 'POST',
        url: '/api/2.0/database/credentials',
        headers,
        payload,
      })
      return { status: answer.statusCode, ...answer.json() }
    }
    const invalid = { status: 400, error_code: 'INVALID_PARAMETER_VALUE' }
    expect(await post({})).toMatchObject({ ...invalid, message: expect.stringMatching(/instance_names or claims/) })
    const claims = [{ permission_set: 'READ_ONLY', resources: [{ table_name: 'orders' }] }]
    expect(await post({ instance_names: ['a'], claims })).toMatchObject({
      ...invalid,
      message: expect.stringMatching(/READ_ONLY/),
    })
    expect(await post({ instance_names: ['a'], claims: [null] })).toMatchObject(invalid)
    expect(await post({ instance_names: [''] })).toMatchObject({
      ...invalid,
      message: expect.stringMatching(/instance_names/),
    })
    expect(await post({ instance_names: Array.from({ length: 11 }, () => 'a') })).toMatchObject(invalid)
    expect(await post({ instance_names: ['none'] })).toMatchObject({
      status: 404,
      error_code: 'RESOURCE_DOES_NOT_EXIST',
    })
  })

  it('limits database credentials per principal, naming when to come back', async () => {
    const caller = bearer(await accessTokenOf(fixture.app, await addServicePrincipal(fixture)))
    const post = () =>
      fixture.app.inject({
        method: 'POST',
        url: '/api/2.0/database/credentials',
        headers: caller,
        payload: { instance_names: ['none'] },
      })
    let last = await post()
    for (let attempt = 0; attempt < 1300 && last.statusCode !== 429; attempt++) last = await post()
    expect(last.statusCode).toBe(429)
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0)
    expect(last.json()).toMatchObject({ error_code: 'REQUEST_LIMIT_EXCEEDED' })
  }, 60_000)

  it('pages through audit events and service principals to the last, and refuses a page token of another list', async () => {
    for (let count = 0; count < 4; count++) await addServicePrincipal(fixture)
    const all = async (list: string, field: string) => {
      const ids: string[] = []
      let pageToken: string | undefined
      do {
        const query = new URLSearchParams({ pageSize: '2', ...(pageToken && { pageToken }) })
        const body = (await fixture.app.inject({ url: `/v1/${list}?${query.toString()}`, headers })).json()
        ids.push(...body[field].map(({ id }: { id: string }) => id))
        pageToken = body.nextPageToken
      } while (pageToken !== undefined)
      return ids
    }
    const principals = await all('servicePrincipals', 'servicePrincipals')
    expect(new Set(principals).size).toBe(principals.length)
    expect(principals.length).toBeGreaterThanOrEqual(5)
    const events = await all('auditEvents', 'auditEvents')
    expect(new Set(events).size).toBe(events.length)
    const foreign = await fixture.app.inject({ url: '/v1/auditEvents?pageToken=IjEi', headers })
    expect(foreign.json()).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
