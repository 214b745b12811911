import { setTimeout as sleep } from 'node:timers/promises'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'

const requestTimeoutMs = 30_000

/** An answer of the control plane that is not a success. */
class UnexpectedAnswer extends PosternError {
  readonly status: number

  constructor(request: string, status: number, body: string) {
    super('INTERNAL', `${request} was answered ${status}: ${body}`)
    this.status = status
  }
}

/** The control plane as the demo calls it: over HTTP, like everybody else. */
export class ControlPlaneApi {
  readonly #httpUrl: string
  readonly #accessToken: Secret

  private constructor(httpUrl: string, accessToken: Secret) {
    this.#httpUrl = httpUrl
    this.#accessToken = accessToken
  }

  /** Signs a person in with e-mail and account password. */
  static async asUser(httpUrl: string, email: string, password: Secret): Promise<ControlPlaneApi> {
    const form = { grant_type: 'password', client_id: 'postern', username: email, password: password.reveal() }
    return new ControlPlaneApi(httpUrl, await requestAccessToken(httpUrl, { ...form, scope: 'all-apis' }))
  }

  /** Exchanges a service principal's secret for an access token (RFC 6749 section 4.4). */
  static async asServicePrincipal(httpUrl: string, clientId: string, clientSecret: Secret): Promise<ControlPlaneApi> {
    const basic = Buffer.from(`${clientId}:${encodeURIComponent(clientSecret.reveal())}`).toString('base64')
    const form = { grant_type: 'client_credentials', scope: 'all-apis' }
    return new ControlPlaneApi(httpUrl, await requestAccessToken(httpUrl, form, { authorization: `Basic ${basic}` }))
  }

  async get<Body>(path: string): Promise<Body> {
    return (await this.#send('GET', path)) as Body
  }

  async post<Body>(path: string, body: unknown): Promise<Body> {
    return (await this.#send('POST', path, body)) as Body
  }

  /** Like `post`; what exists already is fine. */
  async ensure(path: string, body: unknown): Promise<void> {
    await this.post(path, body).catch((thrown: unknown) => {
      if (!(thrown instanceof UnexpectedAnswer) || thrown.status !== 409) throw thrown
    })
  }

  /** A one-hour database credential. */
  async databaseCredential(instance: string): Promise<Secret> {
    const { token } = await this.post<{ token: string }>('/api/2.0/database/credentials', {
      instance_names: [instance],
    })
    return new Secret(token)
  }

  /** Waits until an instance is AVAILABLE. */
  async available(instance: string, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const { state, stateReason } = await this.get<{ state: string; stateReason: string | null }>(
        `/v1/instances/${instance}`,
      )
      if (state === 'AVAILABLE') return
      if (state === 'FAILED' || performance.now() > deadline) {
        throw new PosternError(
          'INSTANCE_NOT_AVAILABLE',
          `instance '${instance}' is ${state}: ${stateReason ?? 'no reason given'}`,
        )
      }
      await sleep(50)
    }
  }

  async #send(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(this.#httpUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#accessToken.reveal()}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    })
    const text = await response.text()
    if (!response.ok) throw new UnexpectedAnswer(`${method} ${path}`, response.status, text)
    return JSON.parse(text)
  }
}

async function requestAccessToken(
  httpUrl: string,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Secret> {
  const response = await fetch(`${httpUrl}/oidc/v1/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(requestTimeoutMs),
  })
  const text = await response.text()
  if (!response.ok) throw new UnexpectedAnswer('POST /oidc/v1/token', response.status, text)
  const { access_token } = JSON.parse(text) as { access_token: string }
  return new Secret(access_token)
}
