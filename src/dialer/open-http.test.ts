import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startFakeUpstream } from '../../test/support/fake-upstream.ts'
import { describeWith } from '../../test/support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../../test/support/test-certificates.ts'
import { testDialer } from '../../test/support/test-dialer.ts'
import { testRoute } from '../../test/support/test-route.ts'
import { Secret } from '../base/secret.ts'
import { AddressRules } from './address-rules.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import type { DialOptions } from './dial-options.ts'
import { openHttp, type GuardedHttp, type HttpRequest } from './open-http.ts'

const opened: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

interface TestServer {
  readonly port: number
  sockets: number
}

async function listen(server: Server): Promise<TestServer> {
  const found = { port: 0, sockets: 0 }
  server.on('connection', () => (found.sockets += 1))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  found.port = (server.address() as AddressInfo).port
  opened.push({
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  })
  return found
}

const serve = (listener: RequestListener): Promise<TestServer> => listen(createServer(listener))

async function open(route: DataSourceRoute, options: Partial<DialOptions> = {}): Promise<GuardedHttp> {
  const http = await openHttp(route, { ...testDialer(), secrets: {}, timeoutMs: 2_000, ...options })
  opened.push(http)
  return http
}

function get(path: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', path, signal: new AbortController().signal, ...more }
}

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('HTTP to a data source', () => {
  it('keeps its socket, names the host of the route and tells the stages once', async () => {
    const server = await serve((request, response) => {
      response.setHeader('x-host', request.headers.host ?? '')
      response.end(`${request.method} ${request.url}`)
    })
    const stages: string[] = []
    const http = await open(testRoute(server.port, { host: 'localhost' }), { onStage: (stage) => stages.push(stage) })
    for (const path of ['/one', '/two?a=b']) {
      const answer = await http.request(get(path))
      expect(answer.headers['x-host']).toBe(`localhost:${server.port}`)
      expect(await text(answer.body)).toBe(`GET ${path}`)
    }
    expect(server.sockets).toBe(1)
    expect(stages).toEqual(['name', 'tcp'])
  })

  it('sends bodies whole, from text, bytes and streams', async () => {
    const server = await serve((request, response) => request.pipe(response))
    const http = await open(testRoute(server.port))
    async function* parts(): AsyncGenerator<Uint8Array> {
      for (let index = 0; index < 50; index += 1) yield Buffer.alloc(40_000, 'x')
    }
    for (const [body, length] of [
      ['text', 4],
      [Buffer.from('bytes'), 5],
      [parts(), 2_000_000],
    ] as const) {
      const answer = await http.request({ ...get('/'), method: 'POST', body })
      expect((await text(answer.body)).length).toBe(length)
    }
  })

  it('follows no redirect', async () => {
    const elsewhere = await startFakeUpstream()
    opened.push({ close: () => elsewhere.stop() })
    const server = await serve((_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${elsewhere.port}/` }).end()
    })
    const http = await open(testRoute(server.port))
    const answer = await http.request(get('/', { headers: { authorization: 'Basic c2VjcmV0' } }))
    expect(answer.status).toBe(302)
    expect(await text(answer.body)).toBe('')
    expect(elsewhere.accepted).toBe(0)
  })

  it('dials each new socket by the rules: an address that is refused meanwhile is not dialled again', async () => {
    const server = await serve((_request, response) => response.setHeader('connection', 'close').end('ok'))
    let rules = AddressRules.create()
    const addressRules = { refuses: (address: string) => rules.refuses(address) } as AddressRules
    const http = await open(testRoute(server.port), { addressRules })
    expect(await text((await http.request(get('/'))).body)).toBe('ok')
    rules = AddressRules.create(['127.0.0.0/8'])
    await expect(http.request(get('/'))).rejects.toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
    expect(server.sockets).toBe(1)
  })

  it('ends an answer that is longer than the limit', async () => {
    const server = await serve((_request, response) => response.end(Buffer.alloc(100_000)))
    const http = await open(testRoute(server.port))
    const answer = await http.request(get('/', { maxResponseBytes: 50_000 }))
    await expect(text(answer.body)).rejects.toMatchObject({ code: 'RESULT_TOO_LARGE' })
  })

  it('reads no faster than it is asked to', async () => {
    let sent = 0
    const server = await serve((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536
      }
      response.on('drain', more)
      more()
    })
    const http = await open(testRoute(server.port))
    const answer = await http.request(get('/', { maxResponseBytes: Number.POSITIVE_INFINITY }))
    const reader = answer.body[Symbol.asyncIterator]()
    await reader.next()
    let before = -1
    await expect.poll(() => before === (before = sent), { interval: 200 }).toBe(true)
    expect(sent).toBeLessThan(32 * 1024 * 1024)
    await reader.return?.()
  })

  it.each(['before the answer', 'within the body'])(
    'is cancelled %s, and the server sees its socket closed',
    async (when) => {
      let closed = false
      const server = await serve((_request, response) => {
        response.on('close', () => (closed = true))
        if (when === 'within the body') response.write('begun')
      })
      const http = await open(testRoute(server.port))
      const stop = new AbortController()
      const attempt = http.request(get('/', { signal: stop.signal })).then((answer) => {
        queueMicrotask(() => stop.abort())
        return text(answer.body)
      })
      if (when === 'before the answer') setTimeout(() => stop.abort(), 50)
      await expect(attempt).rejects.toMatchObject({ code: 'CANCELLED' })
      await expect.poll(() => closed).toBe(true)
    },
  )

  it.each([
    ['SSH-2.0-OpenSSH_9.2\r\n', 'UPSTREAM_PROTOCOL'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncontent-length: 11\r\n\r\n', 'UPSTREAM_PROTOCOL'],
    [`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, 'UPSTREAM_PROTOCOL'],
  ])('knows that %j is no answer', async (bytes, code) => {
    const server = await startFakeUpstream((socket) => socket.write(bytes))
    opened.push({ close: () => server.stop() })
    const http = await open(testRoute(server.port))
    await expect(http.request(get('/'))).rejects.toMatchObject({ code })
  })

  it('tells of a server that goes away in the middle', async () => {
    const server = await startFakeUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')
      setTimeout(() => socket.destroy(), 20)
    })
    opened.push({ close: () => server.stop() })
    const http = await open(testRoute(server.port))
    const answer = await http.request(get('/'))
    await expect(text(answer.body)).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
  })

  it('closes what is in use, and dials nothing afterwards', async () => {
    const server = await serve((_request, response) => void response.write('begun'))
    const http = await open(testRoute(server.port))
    const answer = await http.request(get('/'))
    await http.close()
    await expect(text(answer.body)).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
    await expect(http.request(get('/'))).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

describeWith(['openssl'], 'HTTPS to a data source', () => {
  let authority: TestAuthority
  let stranger: TestAuthority
  beforeAll(() => {
    authority = createTestAuthority('HTTP authority')
    stranger = createTestAuthority('Another authority')
    return () => {
      authority.remove()
      stranger.remove()
    }
  })

  it('is verified as the route says, and shows the client certificate', async () => {
    const { certificateChainPem, privateKeyPem } = authority.issue(['localhost'])
    const client = authority.issue(['client.test'])
    const server = await listen(
      createTlsServer(
        {
          cert: certificateChainPem,
          key: privateKeyPem,
          ca: authority.caPem,
          requestCert: true,
          rejectUnauthorized: true,
        },
        (_request, response) => response.end('inside'),
      ),
    )
    const route = testRoute(server.port, {
      host: 'localhost',
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
      tlsClientCertificate: client.certificateChainPem,
    })
    const secrets = { tlsClientKey: new Secret(client.privateKeyPem) }
    const http = await open(route, { secrets })
    expect(await text((await http.request(get('/'))).body)).toBe('inside')
    await expect(open({ ...route, tlsCa: stranger.caPem }, { secrets })).rejects.toMatchObject({
      code: 'UPSTREAM_TLS_UNTRUSTED',
    })
    await expect(open({ ...route, host: '127.0.0.1' }, { secrets })).rejects.toMatchObject({
      code: 'UPSTREAM_TLS_WRONG_NAME',
    })
    const uncertified = open({ ...route, tlsClientCertificate: null }).then((each) => each.request(get('/')))
    await expect(uncertified).rejects.toMatchObject({ code: 'UPSTREAM_TLS_CLIENT_CERTIFICATE' })
  })
})
