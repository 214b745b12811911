import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DialerDependencies } from '../../dialer/dial-options.ts'
import { openHttp } from '../../dialer/open-http.ts'
import { keepToken, type AccessToken, type AccessTokenSource, type TokenRequest } from './access-token.ts'

const MAX_ANSWER_BYTES = 256 * 1024
/** A token of the machine is asked for again this often; the library keeps its own for as long as it lives. */
const KEEP_MS = 5 * 60_000
/** Google's own names, where access tokens are traded. */
const TOKEN_HOST = /^(?:[a-z0-9-]+\.)*googleapis\.com$|^accounts\.google\.com$/

/**
 * Access tokens of the machine itself: of the file that GOOGLE_APPLICATION_CREDENTIALS names, or of the metadata server.
 * Nobody enters anything for it, so it reaches only the projects that the operator listed.
 *
 * What a credential file makes us call goes by the dialer, to names of Google alone. The metadata server is the one address
 * that the library asks by itself: it is fixed, link-local, and no data source can name it.
 *
 * @throws PosternError INVALID_ARGUMENT for a project that the operator did not list
 */
export function ambientTokens(
  projectId: string,
  scopes: readonly string[],
  dialer: Pick<DialerDependencies, 'ambientGoogleProjects'>,
): AccessTokenSource {
  if (dialer.ambientGoogleProjects?.includes(projectId) !== true) {
    throw new PosternError(
      'INVALID_ARGUMENT',
      `loginMethod ambient is not allowed for the project ${projectId} on this deployment`,
      {
        hint: 'Upload the key of a service account, or have the operator list the project (ambientGoogleProjects).',
        detail: { field: 'loginMethod' },
      },
    )
  }
  return keepToken((request) => ambientToken(scopes, request))
}

/**
 * One access token of the machine itself, as {@link ambientTokens}. Whether it may be used for what it is wanted for, the caller has asked.
 * @throws PosternError UPSTREAM_AUTH_FAILED when the machine has no Google identity
 */
export async function ambientToken(scopes: readonly string[], request: TokenRequest): Promise<AccessToken> {
  const { GoogleAuth } = await import('google-auth-library')
  const auth = new GoogleAuth({
    scopes: [...scopes],
    clientOptions: { transporterOptions: { fetchImplementation: guardedFetch(request) } },
  })
  return { token: await askFor(() => auth.getAccessToken()), expiresAt: new Date(Date.now() + KEEP_MS) }
}

async function askFor(getAccessToken: () => Promise<string | null | undefined>): Promise<Secret> {
  try {
    const token = await getAccessToken()
    if (typeof token === 'string' && token !== '') return new Secret(token)
  } catch (thrown) {
    if (thrown instanceof PosternError) throw thrown
    throw noIdentity(thrown)
  }
  throw noIdentity(undefined)
}

function noIdentity(cause: unknown): PosternError {
  return new PosternError('UPSTREAM_AUTH_FAILED', 'this machine has no Google identity that gives out access tokens', {
    cause,
    hint: 'Set GOOGLE_APPLICATION_CREDENTIALS for Postern, give the machine a service account, or upload a key.',
  })
}

/** `fetch` as the library knows it, by the dialer. */
function guardedFetch(request: TokenRequest): typeof fetch {
  const send = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (url.protocol !== 'https:' || url.port !== '' || !TOKEN_HOST.test(url.hostname)) {
      throw new PosternError(
        'UPSTREAM_ADDRESS_REFUSED',
        'the Google credentials of this machine lead to a foreign host',
      )
    }
    const { dialer, timeoutMs } = request
    const http = await openHttp(routeTo(url.hostname), { ...dialer, secrets: {}, timeoutMs })
    try {
      const answer = await http.request({
        method: init?.method ?? 'GET',
        path: `${url.pathname}${url.search}`,
        headers: Object.fromEntries(new Headers(init?.headers)),
        ...(typeof init?.body === 'string' || init?.body instanceof Uint8Array ? { body: init.body } : {}),
        ...(init?.body instanceof URLSearchParams ? { body: init.body.toString() } : {}),
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(request.signal ? [request.signal] : [])]),
        maxResponseBytes: MAX_ANSWER_BYTES,
      })
      const chunks: Uint8Array[] = []
      for await (const chunk of answer.body) chunks.push(chunk)
      return new Response(Buffer.concat(chunks), { status: answer.status, headers: answer.headers })
    } finally {
      await http.close()
    }
  }
  return send as typeof fetch
}

function routeTo(host: string): DataSourceRoute {
  const own = { engine: 'spanner', host, port: 443, database: '', username: '' } as const
  return { ...PLAIN_ROUTE, ...own, loginMethod: 'ambient', tlsMode: 'verify-full' }
}
