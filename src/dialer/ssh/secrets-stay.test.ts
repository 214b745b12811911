import { createServer, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeSshServer, startFakeSshServer } from '../../../test/support/fake-ssh-server.ts'
import { startTestTunnels, type TestTunnels } from '../../../test/support/ssh-tunnels.ts'
import type { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { toDuplex } from '../../transport/duplex.ts'
import type { SshHop } from '../data-source-route.ts'
import { toOrder } from './tunnel-messages.ts'

const PASSWORD = 'correct horse battery staple'
const question = { prompt: 'Password: ', echo: false }

let test: TestTunnels
let server: FakeSshServer
beforeEach(async () => {
  test = await startTestTunnels()
})
afterEach(async () => {
  await test.stop()
  await server.stop()
})

function hop(change: Partial<SshHop> = {}): SshHop {
  const { port, fingerprint } = server
  return { host: '127.0.0.1', port, username: 'ana', auth: 'password', hostKey: fingerprint, ...change }
}

function connect(change: Partial<SshHop>, port = 1) {
  return test.tunnels.connect({
    hops: [hop(change)],
    secrets: { 'ssh.0.password': new Secret(PASSWORD), password: new Secret('of the database') },
    target: { host: '127.0.0.1', port },
    timeoutMs: 5_000,
  })
}

function failure(change: Partial<SshHop> = {}): Promise<PosternError> {
  return connect(change).then(
    () => Promise.reject(new Error('it worked')),
    (error: PosternError) => error,
  )
}

describe('an SSH server that is not the pinned one', () => {
  it('gets no password while its key is not pinned', async () => {
    server = await startFakeSshServer()
    const error = await failure({ hostKey: null })
    expect(error).toMatchObject({
      code: 'UPSTREAM_SSH_HOST_KEY_UNKNOWN',
      detail: { hostKey: server.fingerprint, algorithm: 'ecdsa-sha2-nistp256' },
    })
    expect(server.attempts).toEqual([])
    expect(test.pool.size).toBe(0)
  })

  it('gets no password when its key changed', async () => {
    server = await startFakeSshServer()
    expect(await failure({ hostKey: `SHA256:${'A'.repeat(43)}` })).toMatchObject({
      code: 'UPSTREAM_SSH_HOST_KEY_CHANGED',
      detail: { hostKey: server.fingerprint },
    })
    expect(server.attempts).toEqual([])
  })

  it('would have got it otherwise: the pinned one does', async () => {
    server = await startFakeSshServer()
    expect(await failure()).toMatchObject({ code: 'UPSTREAM_SSH_AUTH_FAILED' })
    expect(server.attempts).toEqual([{ method: 'password', username: 'ana', password: PASSWORD }])
  })
})

describe('a server that takes passwords by questions', () => {
  it('gets the password for its one hidden question', async () => {
    server = await startFakeSshServer({ asksFor: { questions: [question], password: PASSWORD } })
    const database = createServer((socket) => socket.end('hello'))
    await new Promise<void>((resolve) => database.listen(0, '127.0.0.1', resolve))
    const stream = toDuplex(await connect({}, (database.address() as AddressInfo).port))
    let read = ''
    for await (const chunk of stream) read += String(chunk)
    expect(read).toBe('hello')
    await new Promise((resolve) => database.close(resolve))
  })

  it.each([
    ['shows the answer', [{ prompt: 'Your name: ', echo: true }]],
    ['asks for a code, too', [question, { prompt: 'Code: ', echo: false }]],
  ])('gets nothing by a question that %s', async (_title, questions) => {
    server = await startFakeSshServer({ asksFor: { questions, password: PASSWORD } })
    expect(await failure()).toMatchObject({ code: 'UPSTREAM_SSH_AUTH_FAILED' })
    expect(server.attempts.at(-1)).toEqual({ method: 'answers', username: 'ana', password: '' })
  })
})

it('an order holds the secrets of SSH and no others', async () => {
  server = await startFakeSshServer()
  const order = toOrder({
    hops: [hop()],
    secrets: {
      password: new Secret('of the database'),
      tlsClientKey: new Secret('of the certificate'),
      'ssh.0.password': new Secret(PASSWORD),
    },
    target: { host: 'db.test', port: 5432 },
    timeoutMs: 1_000,
  })
  expect(order.secrets).toEqual({ 'ssh.0.password': PASSWORD })
})
