/** Answer of the control plane: tests look at refusals as often as at results. */
export interface Answer<Body = Record<string, unknown>> {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

export interface NewServicePrincipal {
  readonly id: string
  readonly clientId: string
  readonly clientSecret: string
}

type Json = Readonly<Record<string, unknown>>

const requestTimeoutMs = 60_000

/** The control plane's HTTP API as a test calls it, signed in as somebody. It shares no code with Postern's own client. */
export class ControlPlane {
  readonly httpUrl: string
  readonly accessToken: string

  constructor(httpUrl: string, accessToken: string) {
    this.httpUrl = httpUrl
    this.accessToken = accessToken
  }

  /** Signs a person in (RFC 6749 section 4.3). */
  static async asUser(httpUrl: string, email: string, password: string): Promise<ControlPlane> {
    const form = { grant_type: 'password', client_id: 'postern', username: email, password, scope: 'all-apis' }
    return new ControlPlane(httpUrl, accessTokenOf(await requestToken(httpUrl, form)))
  }

  /** Signs a service principal in (RFC 6749 section 4.4). */
  static async asServicePrincipal(httpUrl: string, clientId: string, clientSecret: string): Promise<ControlPlane> {
    const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')
    const form = { grant_type: 'client_credentials', scope: 'all-apis' }
    return new ControlPlane(
      httpUrl,
      accessTokenOf(await requestToken(httpUrl, form, { authorization: `Basic ${basic}` })),
    )
  }

  /** Sends a request and gives the answer, whatever its status. */
  async send<Body = Json>(method: string, path: string, body?: unknown): Promise<Answer<Body>> {
    const response = await fetch(`${this.httpUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.accessToken}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    })
    return { status: response.status, headers: response.headers, body: parse(await response.text()) as Body }
  }

  /** Sends a request that must succeed. */
  async expect<Body = Json>(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await this.send<Body>(method, path, body)
    if (answer.status >= 200 && answer.status < 300) return answer.body
    throw new Error(`${method} ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  }

  /** Creates a service principal with one secret that never expires. */
  async createServicePrincipal(displayName: string, workspaceRole = 'member'): Promise<NewServicePrincipal> {
    const created = await this.expect<{ id: string; clientId: string }>('POST', '/v1/servicePrincipals', {
      displayName,
      workspaceRole,
    })
    const secrets = `/v1/servicePrincipals/${created.clientId}/secrets`
    const { secret } = await this.expect<{ secret: string }>('POST', secrets, {})
    return { id: created.id, clientId: created.clientId, clientSecret: secret }
  }

  /** Creates a managed instance and waits until it is AVAILABLE. */
  async createManagedInstance(
    name: string,
    timeoutMs = 60_000,
  ): Promise<{ name: string; gatewayHost: string; uid: string }> {
    await this.expect('POST', '/v1/instances', { kind: 'managed', name })
    return this.waitForInstance(name, 'AVAILABLE', timeoutMs)
  }

  /** Waits until an instance is in a state. */
  async waitForInstance(
    name: string,
    state: string,
    timeoutMs = 60_000,
  ): Promise<{ name: string; gatewayHost: string; uid: string }> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const instance = await this.expect<{ name: string; gatewayHost: string; uid: string; state: string }>(
        'GET',
        `/v1/instances/${name}`,
      )
      if (instance.state === state) return instance
      if (performance.now() > deadline)
        throw new Error(`instance ${name} is ${JSON.stringify(instance)}, not ${state}, after ${timeoutMs} ms`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  /** Binds a service principal to a Postgres role, named by its client id unless another name is given. */
  async bindPostgresRole(instance: string, clientId: string, options: Json = {}): Promise<string> {
    const body = { principal: { clientId }, ...options }
    const { roleName } = await this.expect<{ roleName: string }>('POST', `/v1/instances/${instance}/roles`, body)
    return roleName
  }

  /** Mints a database credential for these instances. */
  async mintCredential(...instanceNames: string[]): Promise<string> {
    const body = { request_id: crypto.randomUUID(), instance_names: instanceNames }
    const { token } = await this.expect<{ token: string }>('POST', '/api/2.0/database/credentials', body)
    return token
  }
}

/** Asks the token endpoint and gives the answer, whatever its status. */
export async function requestToken(
  httpUrl: string,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(`${httpUrl}/oidc/v1/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(form).toString(),
    signal: AbortSignal.timeout(requestTimeoutMs),
  })
  return { status: response.status, headers: response.headers, body: parse(await response.text()) as Json }
}

function accessTokenOf(answer: Answer): string {
  const token = answer.body['access_token']
  if (answer.status === 200 && typeof token === 'string') return token
  throw new Error(`the token endpoint answered ${answer.status}: ${JSON.stringify(answer.body)}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return { text }
  }
}
