import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { isGoodAssertion } from './google-assertion.ts'
import { localhostCertificate } from './localhost-certificate.ts'

/** Addresses that are only read, never reached, are put together. */
const SLASHES = '//'

/** What the fake does instead of what Spanner would, until it is changed. */
export interface SpannerMood {
  /** Permissions of the service account; without `spanner.databases.list` nothing else is answered either. */
  permissions: readonly string[]
  isKeyDeleted: boolean
  /** The stream of a query is cut after this many parts, once. */
  cutAfterParts: number | undefined
  /** So many commits are aborted first. */
  abortedCommits: number
}

/** Parts of the answer to one statement, as PartialResultSets; a later attempt goes on behind the resume token. */
export type SpannerParts = readonly Readonly<Record<string, unknown>>[]

/**
 * The REST API of Spanner and Google's token endpoint, strict: assertions are verified, unknown paths, fields, tokens, sessions and
 * statements are refused with the statuses of the public reference. For what the emulator cannot: identities and failures.
 */
export interface FakeSpanner {
  readonly port: number
  readonly tokenUri: string
  readonly caPem: string
  /** The key of its one service account, as Google's console would give it out. */
  keyJson(changes?: Readonly<Record<string, unknown>>): string
  readonly mood: SpannerMood
  /** Sessions that exist. */
  readonly sessions: ReadonlySet<string>
  /** `METHOD path` of every request to the API. */
  readonly calls: readonly string[]
  stop(): Promise<void>
}

export const FAKE_INSTANCE = 'projects/test-project/instances/first'
const EMAIL = 'postern@test-project.iam.gserviceaccount.com'
const DATABASES = ['alpha', 'beta', 'gamma']
/** Names, though they look like addresses. */
const SCOPES = ['data', 'admin'].map((kind) => `https:${SLASHES}www.googleapis.com/auth/spanner.${kind}`)
const STATUS_OF: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ABORTED',
}

class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export async function startFakeSpanner(statements: Readonly<Record<string, SpannerParts>>): Promise<FakeSpanner> {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const mood: SpannerMood = {
    permissions: ['spanner.databases.list', 'spanner.databases.select'],
    isKeyDeleted: false,
    cutAfterParts: undefined,
    abortedCommits: 0,
  }
  const sessions = new Set<string>()
  const transactions = new Set<string>()
  const accessTokens = new Set<string>()
  const calls: string[] = []
  let tokenUri = ''

  const expected = () => ({
    publicKey: createPublicKey(keys.privateKey),
    keyId: 'key-1',
    email: EMAIL,
    scope: SCOPES.join(' '),
    audience: tokenUri,
  })

  const giveToken = (form: URLSearchParams): unknown => {
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
      return { error: 'unsupported_grant_type' }
    }
    if (mood.isKeyDeleted || !isGoodAssertion(form.get('assertion') ?? '', expected())) {
      return { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }
    }
    const access_token = `ya29.${randomUUID()}`
    accessTokens.add(access_token)
    return { access_token, expires_in: 3599, token_type: 'Bearer' }
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', 'https://localhost')
    const body = await text(request)
    if (request.method === 'POST' && url.pathname === '/token') {
      const isForm = request.headers['content-type'] === 'application/x-www-form-urlencoded'
      const given = isForm ? giveToken(new URLSearchParams(body)) : { error: 'invalid_request' }
      return send(response, 'error' in (given as object) ? 400 : 200, given)
    }
    calls.push(`${request.method} ${url.pathname}`)
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined || !accessTokens.has(token)) throw new Refusal(401, 'invalid authentication credentials')
    const fields = body === '' ? {} : (JSON.parse(body) as Record<string, unknown>)
    if (body !== '' && request.headers['content-type'] !== 'application/json') throw new Refusal(400, 'not JSON')
    return route(request.method ?? '', url, fields, response)
  }

  const route = (method: string, url: URL, fields: Record<string, unknown>, response: ServerResponse): void => {
    const path = url.pathname.replace(/^\/v1\//, '')
    const [, tail] = /^projects\/test-project\/instances\/first(.*)$/.exec(path) ?? []
    if (tail === undefined) throw new Refusal(404, `Instance not found: ${path}`)
    if (method === 'POST' && tail === ':testIamPermissions') {
      const { permissions } = only(fields, 'permissions')
      return send(response, 200, {
        permissions: (permissions as string[]).filter((each) => mood.permissions.includes(each)),
      })
    }
    if (!mood.permissions.includes('spanner.databases.list')) throw new Refusal(403, 'IAM permission denied')
    if (method === 'GET' && tail === '/databases') return send(response, 200, page(url))
    const [, database = '', action = ''] = /^\/databases\/([^/]+)(.*)$/.exec(tail) ?? []
    if (!DATABASES.includes(database)) throw new Refusal(404, `Database not found: ${path}`)
    if (method === 'GET' && action === '') return send(response, 200, { name: path, state: 'READY' })
    if (method === 'POST' && action === '/sessions') {
      only(fields)
      const name = `${path}/${randomUUID()}`
      sessions.add(name)
      return send(response, 200, { name, createTime: new Date().toISOString() })
    }
    const [, session = '', verb = ''] = /^([^:]+)(?::(.+))?$/.exec(path) ?? []
    if (!sessions.has(session)) throw new Refusal(404, `Session not found: ${session}`)
    if (method === 'DELETE' && verb === '') {
      sessions.delete(session)
      return send(response, 200, {})
    }
    if (method !== 'POST') throw new Refusal(404, 'no such method')
    if (verb === 'executeStreamingSql') return execute(fields, response)
    if (verb === 'commit') return commit(only(fields, 'transactionId'), response)
    if (verb === 'rollback') {
      transactions.delete(String(only(fields, 'transactionId')['transactionId']))
      return send(response, 200, {})
    }
    throw new Refusal(404, 'no such method')
  }

  const page = (url: URL): unknown => {
    const size = Math.min(2, Number(url.searchParams.get('pageSize') ?? 100))
    const from = Number(url.searchParams.get('pageToken') ?? 0)
    const next = from + size
    return {
      databases: DATABASES.slice(from, next).map((name) => ({
        name: `${FAKE_INSTANCE}/databases/${name}`,
        state: 'READY',
      })),
      ...(next < DATABASES.length && { nextPageToken: String(next) }),
    }
  }

  const execute = (fields: Record<string, unknown>, response: ServerResponse): void => {
    const { sql, transaction, resumeToken } = only(fields, 'sql', 'transaction', 'seqno', 'params', 'resumeToken')
    const isChange = /^(?:INSERT|UPDATE|DELETE)/.test(String(sql))
    const parts = statements[String(sql)]
    if (parts === undefined) throw new Refusal(400, `Syntax error: no such statement [at 1:1]\n${String(sql)}\n^`)
    const isReadOnly = JSON.stringify(transaction) === '{"singleUse":{"readOnly":{"strong":true}}}'
    if (isChange === isReadOnly)
      throw new Refusal(400, 'DML statements can only be performed in a read-write transaction')
    const from = resumeToken === undefined ? 0 : parts.findIndex((part) => part['resumeToken'] === resumeToken) + 1
    let rest = parts.slice(from)
    if (isChange) {
      const id = randomUUID()
      transactions.add(id)
      rest = [{ metadata: { rowType: {}, transaction: { id } } }, ...rest]
    }
    const cut = mood.cutAfterParts
    mood.cutAfterParts = undefined
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write('[')
    rest
      .slice(0, cut)
      .forEach((part, index) => response.write(`${index === 0 ? '' : '\n,\r\n'}${JSON.stringify(part)}`))
    if (cut === undefined) response.end(']')
    else setTimeout(() => response.destroy(), 50)
  }

  const commit = ({ transactionId }: Record<string, unknown>, response: ServerResponse): void => {
    if (!transactions.delete(String(transactionId))) throw new Refusal(400, 'unknown transaction')
    if (mood.abortedCommits > 0) {
      mood.abortedCommits -= 1
      throw new Refusal(409, 'Transaction was aborted.')
    }
    send(response, 200, { commitTimestamp: new Date().toISOString() })
  }

  const server: Server = createServer(localhostCertificate, (request, response) => {
    answer(request, response).catch((thrown: unknown) => {
      const status = thrown instanceof Refusal ? thrown.status : 400
      const message = thrown instanceof Error ? thrown.message : ''
      send(response, status, { error: { code: status, message, status: STATUS_OF[status] } })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  tokenUri = `https://localhost:${port}/token`
  return {
    port,
    tokenUri,
    caPem: localhostCertificate.cert,
    keyJson: (changes) =>
      JSON.stringify({
        type: 'service_account',
        project_id: 'test-project',
        private_key_id: 'key-1',
        private_key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
        client_email: EMAIL,
        client_id: '1',
        token_uri: tokenUri,
        universe_domain: 'googleapis.com',
        ...changes,
      }),
    mood,
    sessions,
    calls,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The fields, if there are no others: Google refuses what it does not know. */
function only(fields: Record<string, unknown>, ...names: readonly string[]): Record<string, unknown> {
  const unknown = Object.keys(fields).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Refusal(400, `Invalid JSON payload received. Unknown name "${unknown}"`)
  return fields
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' })
  response.end(JSON.stringify(body))
}
