import { createHash, randomUUID, verify, type KeyObject } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { localhostCertificate } from './localhost-certificate.ts'

/** What the fake answers to one statement. */
export interface FakeResult {
  readonly rowType: readonly Readonly<Record<string, unknown>>[]
  /** Rows by partition: the first comes with the answer, the others are fetched, compressed. */
  readonly partitions: readonly (readonly (readonly (string | null)[])[])[]
  /** So often the statement is still running when it is asked about; Infinity until it is cancelled. */
  readonly polls?: number
}

export interface FakeFailure {
  readonly failure: readonly [code: string, sqlState: string, message: string]
}

/**
 * The SQL API of Snowflake, strict as its public reference: JWTs are verified against the user's public key, unknown fields,
 * paths, handles and statements are refused with Snowflake's own codes, and the number of statements must be the one that was announced.
 */
export interface FakeSnowflake {
  readonly port: number
  readonly caPem: string
  /** Gives a user the public half of a key, as ALTER USER … SET RSA_PUBLIC_KEY does. */
  setPublicKey(user: string, key: KeyObject): void
  readonly tokens: Map<string, 'OAUTH' | 'PROGRAMMATIC_ACCESS_TOKEN'>
  /** The bodies of everything that was submitted. */
  readonly submissions: readonly Readonly<Record<string, unknown>>[]
  readonly cancelled: readonly string[]
  /** Which login each request came with. */
  readonly tokenTypes: readonly string[]
  stop(): Promise<void>
}

const ACCOUNT = 'XY12345'
const FIELDS = ['statement', 'timeout', 'database', 'schema', 'warehouse', 'role', 'bindings', 'parameters']

class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly sqlState: string
  constructor(status: number, code: string, message: string, sqlState = '') {
    super(message)
    this.status = status
    this.code = code
    this.sqlState = sqlState
  }
}

export async function startFakeSnowflake(
  statements: Readonly<Record<string, FakeResult | FakeFailure>>,
): Promise<FakeSnowflake> {
  const keys = new Map<string, KeyObject>()
  const tokens = new Map<string, 'OAUTH' | 'PROGRAMMATIC_ACCESS_TOKEN'>()
  const submissions: Record<string, unknown>[] = []
  const cancelled: string[] = []
  const tokenTypes: string[] = []
  const running = new Map<string, { readonly sql: string; polls: number; readonly children?: readonly string[] }>()

  const authenticate = (request: IncomingMessage): void => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const type = String(request.headers['x-snowflake-authorization-token-type'])
    tokenTypes.push(type)
    if (type === 'KEYPAIR_JWT') {
      if (!isGoodJwt(token)) throw new Refusal(401, '390144', `JWT token is invalid. [${randomUUID()}]`)
    } else if (type === 'OAUTH') {
      if (tokens.get(token) !== type) throw new Refusal(401, '390303', 'Invalid OAuth access token.')
    } else if (type !== 'PROGRAMMATIC_ACCESS_TOKEN' || tokens.get(token) !== type) {
      throw new Refusal(401, '394400', 'Programmatic access token is invalid.')
    }
  }

  const isGoodJwt = (jwt: string): boolean => {
    const [header = '', payload = '', signature = ''] = jwt.split('.')
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
    const { iss, sub, iat, exp } = read(payload)
    const user = /^XY12345\.([A-Z_]+)$/.exec(String(sub))?.[1] ?? ''
    const key = keys.get(user)
    if (key === undefined || read(header)['alg'] !== 'RS256') return false
    const der = key.export({ type: 'spki', format: 'der' })
    const fingerprint = `SHA256:${createHash('sha256').update(der).digest('base64')}`
    const now = Date.now() / 1000
    return (
      iss === `${ACCOUNT}.${user}.${fingerprint}` &&
      Math.abs(Number(iat) - now) < 60 &&
      Number(exp) > now &&
      Number(exp) - Number(iat) <= 3600 &&
      verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))
    )
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const url = new URL(request.url ?? '', 'https://localhost')
    if (!url.pathname.startsWith('/api/v2/statements')) throw new Refusal(404, '', 'not found')
    if (!request.headers['user-agent'] || request.headers.accept !== 'application/json') {
      throw new Refusal(400, '391902', 'missing header')
    }
    authenticate(request)
    const [, handle, action] = /^\/api\/v2\/statements(?:\/([^/]+))?(\/cancel)?$/.exec(url.pathname) ?? []
    if (handle === undefined) return submit(JSON.parse(body) as Record<string, unknown>, url, response)
    const found = running.get(handle)
    if (found === undefined) throw new Refusal(404, '000709', 'Statement not found')
    if (action !== undefined) {
      cancelled.push(handle)
      running.delete(handle)
      return send(response, 200, { code: '000604', message: 'successfully canceled' })
    }
    if (found.polls > 0) {
      found.polls -= 1
      return send(response, 202, stillRunning(handle))
    }
    return sendResult(handle, Number(url.searchParams.get('partition') ?? 0), response)
  }

  const submit = (body: Record<string, unknown>, url: URL, response: ServerResponse): void => {
    submissions.push(body)
    const unknown = Object.keys(body).find((field) => !FIELDS.includes(field))
    if (unknown !== undefined) throw new Refusal(400, '391911', `unknown field ${unknown}`)
    const sql = String(body['statement'])
    const parts = sql
      .split(';')
      .map((part) => part.trim())
      .filter((part) => part !== '')
    const announced = Number((body['parameters'] as Record<string, string> | undefined)?.['MULTI_STATEMENT_COUNT'] ?? 1)
    if (announced !== parts.length && announced !== 0) {
      const counts = `Actual statement count ${parts.length} did not match the desired statement count ${announced}.`
      throw new Refusal(422, '000008', counts, '0A000')
    }
    const handle = randomUUID()
    const children = parts.length > 1 ? parts.map((part) => start(part)) : undefined
    running.set(
      handle,
      children ? { sql, polls: 1, children } : { sql: parts[0] ?? '', polls: pollsOf(parts[0] ?? '') },
    )
    if (url.searchParams.get('async') === 'true') return send(response, 202, stillRunning(handle))
    return sendResult(handle, 0, response)
  }

  const start = (sql: string): string => {
    const handle = randomUUID()
    running.set(handle, { sql, polls: pollsOf(sql) })
    return handle
  }

  const pollsOf = (sql: string): number => {
    const result = statements[sql]
    return result !== undefined && 'polls' in result ? (result.polls ?? 0) : 0
  }

  const sendResult = (handle: string, partition: number, response: ServerResponse): void => {
    const { sql, children } = running.get(handle) ?? { sql: '' }
    if (children !== undefined) {
      const data = [['Multiple statements executed successfully.']]
      const rowType = [{ name: 'multiple statement execution', type: 'text' }]
      return send(response, 200, {
        ...resultFields(handle, { rowType, partitions: [data] }),
        statementHandles: children,
      })
    }
    const result = statements[sql.replaceAll(/\s+/g, ' ')]
    if (result === undefined) {
      const message = `SQL compilation error:\nsyntax error line 1 at position 0 unexpected '${sql.split(' ')[0]}'.`
      throw new Refusal(422, '001003', message, '42000')
    }
    if ('failure' in result) throw new Refusal(422, result.failure[0], result.failure[2], result.failure[1])
    if (partition === 0) return send(response, 200, resultFields(handle, result))
    const data = result.partitions[partition]
    if (data === undefined) throw new Refusal(400, '391908', 'no such partition')
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
    response.end(gzipSync(JSON.stringify({ data })))
  }

  const server = createServer(localhostCertificate, (request, response) => {
    answer(request, response).catch((thrown: unknown) => {
      const refusal = thrown instanceof Refusal ? thrown : new Refusal(400, '391902', String(thrown))
      send(response, refusal.status, { code: refusal.code, sqlState: refusal.sqlState, message: refusal.message })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    port: (server.address() as AddressInfo).port,
    caPem: localhostCertificate.cert,
    setPublicKey: (user, key) => void keys.set(user, key),
    tokens,
    submissions,
    cancelled,
    tokenTypes,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function resultFields(handle: string, { rowType, partitions }: FakeResult): Record<string, unknown> {
  return {
    resultSetMetaData: {
      numRows: partitions.flat().length,
      format: 'jsonv2',
      rowType,
      partitionInfo: partitions.map((rows) => ({ rowCount: rows.length, uncompressedSize: 100 })),
    },
    data: partitions[0] ?? [],
    code: '090001',
    statementStatusUrl: `/api/v2/statements/${handle}`,
    requestId: randomUUID(),
    sqlState: '00000',
    statementHandle: handle,
    message: 'Statement executed successfully.',
    createdOn: Date.now(),
  }
}

function stillRunning(handle: string): unknown {
  return {
    code: '333334',
    message: 'Asynchronous execution in progress. Use provided query id to perform query monitoring and management.',
    statementHandle: handle,
    statementStatusUrl: `/api/v2/statements/${handle}`,
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
