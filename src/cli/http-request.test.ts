import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { localhostCertificate } from '../../test/support/localhost-certificate.ts'
import { startScriptedControlPlane, type Script } from '../../test/support/scripted-control-plane.ts'
import { CliError } from './cli-error.ts'
import { sendRequest } from './http-request.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function originOf(script: Script, tls?: { key: string; cert: string }) {
  const server = await startScriptedControlPlane(script, tls)
  stops.push(server.stop)
  return server
}

function send(origin: string, ca?: string, timeoutMs = 5000) {
  return sendRequest({ origin, ca }, { method: 'GET', path: '/', headers: {}, timeoutMs })
}

async function explained(work: Promise<unknown>): Promise<string> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(CliError)
  const { failure, message, hint } = thrown as CliError
  expect(failure).toBe('unreachable')
  return `${message} | ${hint}`
}

describe('one exchange with the control plane', () => {
  test('a port where nothing listens says how to start or name one', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    expect(await explained(send(`http://127.0.0.1:${port}`))).toBe(
      `nothing listens at http://127.0.0.1:${port} | Start it with \`postern serve\`, or name another with --host or POSTERN_HOST.`,
    )
  })

  test('a host name that does not exist is named', async () => {
    expect(await explained(send('https://postern.invalid'))).toMatch(/the host name postern\.invalid does not resolve/)
  })

  test('a server that never answers ends at the time limit', async () => {
    const { origin } = await originOf({ 'GET /': { manner: 'silent' } })
    expect(await explained(send(origin, undefined, 200))).toMatch(/did not answer within 0\.2 s/)
  })

  test('a server that stops in the middle of an answer ends at the time limit', async () => {
    const { origin } = await originOf({ 'GET /': { manner: 'stalled' } })
    expect(await explained(send(origin, undefined, 200))).toMatch(/did not answer within 0\.2 s/)
  })

  test('a certificate of an unknown authority is refused, and accepted with --ca-file', async () => {
    const tls = localhostCertificate
    const { origin } = await originOf({ 'GET /': { body: {} } }, tls)
    expect(await explained(send(origin))).toMatch(/is not trusted .*--ca-file/)
    expect((await send(origin, tls.cert)).status).toBe(200)
  })

  test('a certificate for another name is refused', async () => {
    const tls = localhostCertificate
    const { port } = await originOf({ 'GET /': { body: {} } }, tls)
    expect(await explained(send(`https://127.0.0.1:${port}`, tls.cert))).toMatch(/is for another name/)
  })

  test('https to a plain port and http to a TLS port are told apart from an outage', async () => {
    const plain = await originOf({})
    expect(await explained(send(`https://localhost:${plain.port}`))).toMatch(/does not speak TLS/)
    const encrypted = await originOf({}, localhostCertificate)
    expect(await explained(send(`http://localhost:${encrypted.port}`))).toMatch(/Use https:\/\//)
  })

  test('an endless answer is cut off', async () => {
    const { origin } = await originOf({ 'GET /': { body: 'x'.repeat(17 * 1024 * 1024) } })
    await expect(send(origin)).rejects.toThrow(/more than 16 MiB/)
  })
})
