import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Secret } from '../../base/secret.ts'
import { CliError } from '../cli-error.ts'
import { answerPage } from './answer-page.ts'

/** What the authorization server sent the browser back with. */
export interface RedirectAnswer {
  readonly code: Secret
  /** `iss`: whose answer it is (RFC 9207). */
  readonly issuer: string | undefined
  /** Shows the person how it ended, once it has. */
  finish(title: string, sentence: string): void
}

/** A listener on loopback that waits for one redirect of the browser. */
export interface LoopbackRedirect {
  readonly redirectUri: string
  /** @throws CliError denied when the authorization server refused, limit when nothing came in time */
  answer(timeoutMs: number): Promise<RedirectAnswer>
  close(): void
}

const host = '127.0.0.1'
const firstPort = 8020
const lastPort = 8040

/**
 * Listens on the first free port of 8020 to 8040: those that clients of the compatible API use too.
 * Only the request with our `state` counts. Any other is refused and waited past, so that no page and no other user of the
 * machine can end a sign-in or slip in a code of their own.
 * @see RFC 8252 sections 7.3 and 8.9
 */
export async function awaitRedirect(state: Secret): Promise<LoopbackRedirect> {
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16 * 1024 })
  const port = await listen(server)
  const redirectUri = `http://${host}:${port}/callback`
  return {
    redirectUri,
    answer: (timeoutMs) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(
            new CliError('limit', `nobody signed in in the browser within ${timeoutMs / 60_000} minutes`, {
              hint: 'Run it again; `postern login --device` signs in from another machine.',
            }),
          )
        }, timeoutMs)
        server.on('request', (request: IncomingMessage, response: ServerResponse) => {
          const parameters = parametersOf(request, redirectUri, state)
          if (parameters === undefined) return send(response, 404, 'Not this page', 'Nothing is waited for here.')
          clearTimeout(timer)
          const code = parameters.get('code')
          const finish = (title: string, sentence: string) => send(response, 200, title, sentence)
          if (code) return resolve({ code: new Secret(code), issuer: parameters.get('iss') ?? undefined, finish })
          finish('Not signed in', 'You can close this window; the command line says more.')
          reject(refusal(parameters.get('error') ?? 'invalid_request'))
        })
      }),
    close() {
      server.close()
      server.closeIdleConnections()
    },
  }
}

async function listen(server: Server): Promise<number> {
  for (let port = firstPort; port <= lastPort; port++) {
    const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once('error', resolve)
      server.listen(port, host, () => resolve(undefined))
    })
    server.removeAllListeners('error')
    if (failure === undefined) return (server.address() as AddressInfo).port
  }
  throw new CliError('conflict', `no port from ${firstPort} to ${lastPort} of this machine is free for the browser`, {
    hint: 'End what holds them, or run `postern login --device`.',
  })
}

/** Undefined for every request that is not the one we wait for; a foreign Host is that of a page which rebinds its name. */
function parametersOf(request: IncomingMessage, redirectUri: string, state: Secret): URLSearchParams | undefined {
  const expected = new URL(redirectUri)
  const url = URL.parse(request.url ?? '', redirectUri)
  if (request.method !== 'GET' || request.headers.host !== expected.host || url?.pathname !== expected.pathname) return
  return isEqual(url.searchParams.get('state') ?? '', state) ? url.searchParams : undefined
}

function isEqual(given: string, expected: Secret): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected.reveal())]
  return one.length === other.length && timingSafeEqual(one, other)
}

function send(response: ServerResponse, status: number, title: string, sentence: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    connection: 'close',
  })
  response.end(answerPage(title, sentence))
}

function refusal(error: string): CliError {
  const said = error === 'access_denied' ? 'the sign-in was cancelled in the browser' : 'the sign-in was refused'
  return new CliError('denied', said, { hint: 'Run `postern login` again.', code: error.slice(0, 60) })
}
