import { z } from 'zod'
import { Problem, ApiError } from '../contract/problem.ts'
import { ERRORS, type ErrorCode, type ErrorKind } from '../base/error-table.ts'
import type { Secret } from '../base/secret.ts'
import { CliError } from './cli-error.ts'
import type { Endpoint } from './endpoint.ts'
import { sendRequest, type HttpAnswer, type HttpRequest } from './http-request.ts'

/** Access tokens of the caller. */
export interface AccessTokens {
  get(): Promise<Secret>
  /** Another one after the server refused the first; undefined when only a person can get it. */
  renew?(): Promise<Secret>
}

interface Call<Shape extends z.ZodType> {
  readonly method: HttpRequest['method']
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  readonly body?: unknown
  readonly answer: Shape
  /** Default 30 seconds. */
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 30_000

/** Our own HTTP API, as a signed-in caller. Answers are checked against the contract, failures become `CliError`. */
export class ApiClient {
  readonly endpoint: Endpoint
  readonly #accessTokens: AccessTokens

  constructor(endpoint: Endpoint, accessTokens: AccessTokens) {
    this.endpoint = endpoint
    this.#accessTokens = accessTokens
  }

  /** @throws CliError of the kind that the error table gives to the code of the answer */
  async call<Shape extends z.ZodType>(call: Call<Shape>): Promise<z.output<Shape>> {
    let answer = await this.#send(call, await this.#accessTokens.get())
    if (answer.status === 401 && this.#accessTokens.renew)
      answer = await this.#send(call, await this.#accessTokens.renew())
    return readAnswer(this.endpoint, answer, call.answer)
  }

  /**
   * A call whose answer comes line by line, each in the shape of `answer`, as the server has it. A `problem` that comes as a line
   * is a failure like any other.
   */
  async stream<Shape extends z.ZodType>(call: Call<Shape>, onLine: (line: z.output<Shape>) => void): Promise<void> {
    let failure: CliError | undefined
    const readLine = (text: string) => {
      const line: unknown = JSON.parse(text)
      const problem = ProblemLine.safeParse(line)
      if (problem.success) failure = problemFailure(problem.data.problem)
      else onLine(call.answer.parse(line))
    }
    let answer = await this.#send(call, await this.#accessTokens.get(), readLine)
    if (answer.status === 401 && this.#accessTokens.renew)
      answer = await this.#send(call, await this.#accessTokens.renew(), readLine)
    if (answer.status !== 200) throw asFailure(this.endpoint, answer, parseJson(answer))
    if (failure !== undefined) throw failure
  }

  #send(call: Call<z.ZodType>, accessToken: Secret, onLine?: (text: string) => void): Promise<HttpAnswer> {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(call.query ?? {}))
      for (const each of [value ?? []].flat()) query.append(name, String(each))
    return sendRequest(this.endpoint, {
      method: call.method,
      path: query.size === 0 ? call.path : `${call.path}?${query.toString()}`,
      headers: {
        accept: onLine === undefined ? 'application/json' : 'application/x-ndjson, application/problem+json',
        authorization: `Bearer ${accessToken.reveal()}`,
        ...(call.body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
      timeoutMs: call.timeoutMs ?? defaultTimeoutMs,
      ...(onLine && { onLine }),
    })
  }
}

/** A path whose inserted names are encoded, so that no name can reach another route: path`/v1/instances/${name}`. */
export function path(pieces: TemplateStringsArray, ...names: string[]): string {
  return pieces.reduce((built, piece, index) => {
    const name = names[index - 1] ?? ''
    if (name === '') throw new CliError('caller', 'a name is empty', { hint: 'Name what the command is about.' })
    return built + encodeURIComponent(name) + piece
  })
}

/** Where the error table speaks to programmers, a person at the command line has a shorter way. */
const nextSteps: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: 'Run `postern login` again.',
  ACCESS_TOKEN_EXPIRED: 'Run `postern login` again.',
  INSTANCE_NOT_FOUND: '`postern instance list` shows those that exist.',
  RESOURCE_DOES_NOT_EXIST: '`postern instance list` shows those that exist.',
  SECRET_REQUIRED: 'Give it together with the change: --ask-password or --password-file FILE.',
  invalid_client: 'Check POSTERN_CLIENT_ID and its secret.',
}

const ProblemLine = z.object({ type: z.literal('problem'), problem: Problem })
const OAuthFailure = z.object({ error: z.string(), error_description: z.string().optional() })

/** The answer in the shape of the contract. An empty answer (204) reads as `{}`. */
export function readAnswer<Shape extends z.ZodType>(
  endpoint: Endpoint,
  answer: HttpAnswer,
  shape: Shape,
): z.output<Shape> {
  const body = parseJson(answer)
  if (answer.status < 200 || answer.status > 299) throw asFailure(endpoint, answer, body)
  const parsed = shape.safeParse(answer.body === '' ? {} : body)
  if (parsed.success) return parsed.data
  throw new CliError('internal', `the answer of ${endpoint.origin} is not in the form this version expects`, {
    hint: 'Check that it is Postern and that both have the same version.',
    cause: parsed.error,
    ...(answer.requestId !== undefined && { requestId: answer.requestId }),
  })
}

function asFailure(endpoint: Endpoint, answer: HttpAnswer, body: unknown): CliError {
  const wait = answer.retryAfter === undefined ? undefined : `Wait ${answer.retryAfter} s and try again.`
  const say = (failure: ErrorKind, message: string, code: string, hint: string | undefined) =>
    new CliError(failure, message, { code, requestId: answer.requestId, hint: wait ?? nextSteps[code] ?? hint })
  const problem = Problem.safeParse(body)
  if (problem.success) return problemFailure(problem.data, wait)
  const apiError = ApiError.safeParse(body)
  if (apiError.success) {
    const { error_code, message } = apiError.data
    return say(kindOfStatus(answer.status, error_code), message, error_code, undefined)
  }
  const refusal = OAuthFailure.safeParse(body)
  if (refusal.success) {
    const { error, error_description } = refusal.data
    const failure = error === 'invalid_grant' ? 'denied' : kindOfStatus(answer.status)
    return say(failure, error_description ?? error, error, undefined)
  }
  return new CliError('unreachable', `${endpoint.origin} answered, but not as Postern does (HTTP ${answer.status})`, {
    hint: 'Check --host: another program may listen there.',
  })
}

/** A problem as a failure of the command: also one that came as the last line of a streamed answer. */
function problemFailure(problem: z.infer<typeof Problem>, wait?: string): CliError {
  const { code, detail, hint, requestId, status } = problem
  const row = Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode] : undefined
  const next = wait ?? nextSteps[code] ?? hint ?? row?.action
  return new CliError(row?.kind ?? kindOfStatus(status), detail, {
    code,
    requestId,
    problem,
    ...(next !== undefined && { hint: next }),
  })
}

function parseJson(answer: HttpAnswer): unknown {
  try {
    return JSON.parse(answer.body)
  } catch {
    // Told apart by the shapes that follow: something other than Postern answered.
    return undefined
  }
}

/** Where an answer carries no code of the error table (a newer server, the compatible API), its status decides. */
function kindOfStatus(status: number, apiCode?: string): ErrorKind {
  if (apiCode === 'INVALID_STATE') return 'conflict'
  if (status === 401 || status === 403) return 'denied'
  if (status === 404) return 'absent'
  if (status === 409) return 'conflict'
  if (status === 429) return 'limit'
  if (status === 502 || status === 504) return 'upstream'
  if (status === 503) return 'dependency'
  return status >= 500 ? 'internal' : 'caller'
}
