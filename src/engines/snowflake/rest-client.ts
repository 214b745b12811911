import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { PosternError } from '../../base/errors.ts'
import type { GuardedHttp } from '../../dialer/open-http.ts'
import { parseJsonObject, readBody } from '../read-body.ts'
import type { SnowflakeCredential } from './credentials.ts'
import type { SnowflakeFailure } from './errors.ts'

const API = '/api/v2/statements'
/** A partition is about 10 MB as it is sent, and several times that as JSON. */
const MAX_SENT_BYTES = 64 * 1024 * 1024
const MAX_JSON_BYTES = 256 * 1024 * 1024
const HANDLE = /^[0-9a-f-]{36}$/i

export type SnowflakeAnswer =
  | { readonly state: 'done'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly state: 'running'; readonly handle: string }
  | { readonly state: 'failed'; readonly failure: SnowflakeFailure }

/** A statement as the API takes it. */
export interface Submission {
  readonly statement: string
  /** How many statements the text holds; they run in one session. */
  readonly statementCount: number
  readonly database: string
  readonly warehouse: string | undefined
  readonly role: string | undefined
  /** Values of its `?`. */
  readonly bindings: readonly string[]
  /** The API answers at once and the result is asked for, so that it can be cancelled meanwhile. */
  readonly isAsync: boolean
  readonly timeoutMs: number
}

/** The SQL API of Snowflake (docs.snowflake.com/en/developer-guide/sql-api/reference). */
export class SnowflakeRestClient {
  readonly #http: GuardedHttp
  readonly #credential: SnowflakeCredential

  constructor(http: GuardedHttp, credential: SnowflakeCredential) {
    this.#http = http
    this.#credential = credential
  }

  submit(submission: Submission, signal: AbortSignal): Promise<SnowflakeAnswer> {
    const bindings = submission.bindings.map((value, index) => [String(index + 1), { type: 'TEXT', value }] as const)
    const body = {
      statement: submission.statement,
      timeout: Math.ceil(submission.timeoutMs / 1000),
      ...(submission.database !== '' && { database: submission.database }),
      ...(submission.warehouse !== undefined && { warehouse: submission.warehouse }),
      ...(submission.role !== undefined && { role: submission.role }),
      ...(bindings.length > 0 && { bindings: Object.fromEntries(bindings) }),
      parameters: {
        MULTI_STATEMENT_COUNT: String(submission.statementCount),
        TIMEZONE: 'UTC',
        BINARY_OUTPUT_FORMAT: 'HEX',
        QUERY_TAG: 'postern',
      },
    }
    return this.#send('POST', `${API}?async=${submission.isAsync}`, JSON.stringify(body), signal)
  }

  /** State of a statement, with its first rows when it is done. */
  status(handle: string, signal: AbortSignal): Promise<SnowflakeAnswer> {
    return this.#send('GET', `${API}/${checked(handle)}`, undefined, signal)
  }

  /** Rows of a later part of a result. */
  partition(handle: string, partition: number, signal: AbortSignal): Promise<SnowflakeAnswer> {
    return this.#send('GET', `${API}/${checked(handle)}?partition=${partition}`, undefined, signal)
  }

  async cancel(handle: string): Promise<void> {
    await this.#send('POST', `${API}/${checked(handle)}/cancel`, '', AbortSignal.timeout(5000))
  }

  close(): Promise<void> {
    return this.#http.close()
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<SnowflakeAnswer> {
    const answer = await this.#http.request({
      method,
      path,
      headers: {
        accept: 'application/json',
        'accept-encoding': 'gzip',
        'user-agent': 'postern',
        authorization: `Bearer ${this.#credential.token().reveal()}`,
        'x-snowflake-authorization-token-type': this.#credential.tokenType,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
      signal,
      maxResponseBytes: MAX_SENT_BYTES,
    })
    const bytes = await readBody(answer.body, MAX_SENT_BYTES)
    const fields = parseJsonObject(answer.headers['content-encoding'] === 'gzip' ? await unpack(bytes) : bytes)
    return readAnswer(answer.status, fields)
  }
}

function readAnswer(status: number, fields: Readonly<Record<string, unknown>> | undefined): SnowflakeAnswer {
  if (status === 200 || status === 202) {
    if (fields === undefined) throw notSnowflake()
    if (status === 200) return { state: 'done', fields }
    return { state: 'running', handle: checked(fields['statementHandle']) }
  }
  const read = (name: string) => (typeof fields?.[name] === 'string' ? fields[name] : '')
  const failure = { httpStatus: status, code: read('code'), sqlState: read('sqlState'), message: read('message') }
  return { state: 'failed', failure }
}

/** The handle goes into a path, so it must be nothing but a handle. */
function checked(handle: unknown): string {
  if (typeof handle === 'string' && HANDLE.test(handle)) return handle
  throw notSnowflake()
}

async function unpack(bytes: Buffer): Promise<Buffer> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_JSON_BYTES })
  } catch (cause) {
    throw new PosternError('UPSTREAM_PROTOCOL', 'a part of the result of Snowflake cannot be unpacked', { cause })
  }
}

function notSnowflake(): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', 'what answers at the address of Snowflake does not speak its SQL API', {
    hint: 'Check the account: locator, region and cloud.',
  })
}
