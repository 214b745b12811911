import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** One request as it arrived. */
interface ReceivedRequest {
  readonly method: string
  /** As sent: still encoded. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON, text as it is. */
  readonly body?: unknown
  /** `silent` never answers; `stalled` sends the headers and some bytes, then nothing more. */
  readonly manner?: 'silent' | 'stalled'
}

/** Answers by `METHOD path` (the query does not count); a list is used up answer by answer, its last one stays. */
export type Script = Readonly<Record<string, ScriptedAnswer | readonly ScriptedAnswer[]>>

/** A real HTTP server on loopback that answers by a script: what the CLI sees when a control plane behaves in a given way. */
export async function startScriptedControlPlane(script: Script, tls?: { readonly key: string; readonly cert: string }) {
  const requests: ReceivedRequest[] = []
  const timesAnswered = new Map<string, number>()
  const answerRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = '', url = '', headers } = request
    requests.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
    const name = `${method} ${url.split('?')[0]}`
    const answers = [script[name] ?? { status: 404, body: problem('NOT_FOUND', 404, `no route ${name}`) }].flat()
    const turn = timesAnswered.get(name) ?? 0
    timesAnswered.set(name, turn + 1)
    const answer = answers[Math.min(turn, answers.length - 1)] as ScriptedAnswer
    if (answer.manner === 'silent') return
    const isText = typeof answer.body === 'string'
    response.writeHead(answer.status ?? 200, {
      'content-type': isText ? 'text/html' : 'application/json',
      ...answer.headers,
    })
    if (answer.manner === 'stalled') response.write('{"half":')
    else response.end(isText ? answer.body : answer.body === undefined ? undefined : JSON.stringify(answer.body))
  }
  const listener = (request: IncomingMessage, response: ServerResponse) => void answerRequest(request, response)
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    requests,
    port,
    origin: `${tls === undefined ? 'http' : 'https'}://localhost:${port}`,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A failure as our API answers it (RFC 9457). */
export function problem(code: string, status: number, detail: string, hint?: string) {
  return {
    type: `https://postern.test/errors/${code}`,
    title: code,
    status,
    code,
    detail,
    hint,
    requestId: 'request-1',
  }
}
