import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { commandLine, descendants } from '../../test/support/processes.ts'
import { describeWith } from '../../test/support/requirements.ts'
import { SshdServer } from '../../test/support/sshd-server.ts'
import { Secret } from '../base/secret.ts'
import { parseConfig } from '../config/parse-config.ts'
import type { TunnelRequest } from '../dialer/ssh-tunnels.ts'
import { TunnelClient } from '../dialer/ssh/tunnel-client.ts'
import { createLogger } from '../telemetry/logger.ts'
import { bunTransport } from '../transport/bun/bun-transport.ts'
import { toDuplex } from '../transport/duplex.ts'
import { TunnelProcess } from './tunnel-process.ts'

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let attempt = 0; !isTrue(); attempt++) {
    if (attempt === 400) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

describeWith(['sshd'], 'the process of the SSH tunnels', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunnel-process-'))
  const echo = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  let sshd: SshdServer
  let supervised: TunnelProcess
  let tunnels: TunnelClient

  beforeAll(async () => {
    sshd = await SshdServer.start()
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
    const { config } = parseConfig({ argv: ['--data-dir', folder], environment: {}, cwd: folder, opensNothing: true })
    supervised = new TunnelProcess({
      config: () => config,
      folder: { path: folder },
      users: { own: undefined, ownName: '', metadata: undefined },
      socketRoot: folder,
      logger: createLogger({ level: 'fatal', role: 'test' }),
      output: 2,
    })
    tunnels = new TunnelClient({
      transport: bunTransport,
      order: async (order) => {
        const ticket = await supervised.order(order)
        if (ticket === undefined) throw new Error('no ticket')
        return ticket
      },
    })
  })
  afterAll(async () => {
    await supervised?.stop()
    await sshd?.stop()
    await new Promise((resolve) => echo.close(resolve))
    expect(processes()).toEqual([])
    rmSync(folder, { recursive: true, force: true })
  })

  function processes(): number[] {
    return descendants(process.pid).filter((pid) => commandLine(pid).trimEnd().endsWith(' tunnels'))
  }

  function request(change: Partial<TunnelRequest> = {}): TunnelRequest {
    return {
      hops: [sshd.hop()],
      secrets: { 'ssh.0.privateKey': new Secret(sshd.clientKey) },
      target: { host: '127.0.0.1', port: (echo.address() as AddressInfo).port },
      timeoutMs: 15_000,
      ...change,
    }
  }

  async function open(): Promise<{ stream: Duplex; closed: Promise<unknown> }> {
    const stream = toDuplex(await tunnels.connect(request()))
    stream.on('error', () => undefined)
    const closed = new Promise((resolve) => stream.on('close', resolve))
    const answered = new Promise((resolve) => stream.once('data', resolve))
    stream.write('ping')
    expect(String(await answered)).toBe('ping')
    return { stream, closed }
  }

  it('is started by the first order, in a folder that is closed to others, and serves the next ones', async () => {
    expect(processes()).toEqual([])
    const { stream } = await open()
    expect(processes()).toHaveLength(1)
    expect(statSync(join(folder, 'tunnels')).mode & 0o777).toBe(0o700)
    const other = await open()
    expect(processes()).toHaveLength(1)
    expect(sshd.logins).toBe(1)
    stream.destroy()
    other.stream.destroy()
  })

  it('tells failures and stages as they are, through the socket', async () => {
    const stages: string[] = []
    const unpinned = request({ hops: [sshd.hop({ hostKey: null })], onStage: (stage) => stages.push(stage) })
    await expect(tunnels.connect(unpinned)).rejects.toMatchObject({
      name: 'PosternError',
      code: 'UPSTREAM_SSH_HOST_KEY_UNKNOWN',
      detail: { hostKey: sshd.fingerprints.ed25519, port: sshd.port },
    })
    expect(stages).toEqual(['name', 'tcp', 'ssh_handshake'])
  })

  it('ends tunnelled sessions when it is killed, and is there again for new ones', async () => {
    const before = await open()
    const [pid] = processes()
    process.kill(pid!, 'SIGKILL')
    await before.closed
    // Placed while it is away: the order waits for it.
    const after = await open()
    expect(processes()).not.toContain(pid)
    after.stream.destroy()
    await until('nothing of the dead one is left', () => readdirSync(join(folder, 'tunnels')).length === 1)
  })

  it('gives a stream for a ticket once, and nothing for any other', async () => {
    const { hops, target } = request()
    const order = { hops, target, secrets: { 'ssh.0.privateKey': sshd.clientKey }, timeoutMs: 10_000 }
    const ticket = await supervised.order(order)
    const show = async (text: string): Promise<string> => {
      const stream = toDuplex(await bunTransport.connect({ kind: 'unix', path: ticket!.path }, 1_000))
      stream.on('error', () => undefined)
      stream.write(text)
      let read = ''
      for await (const chunk of stream) {
        read += String(chunk)
        if (read.includes('"open"')) break
      }
      stream.destroy()
      return read
    }
    expect(await show(`${'A'.repeat(43)}\n`)).toBe('')
    expect(await show(`${ticket!.ticket}\n`)).toContain('{"kind":"open"}')
    expect(await show(`${ticket!.ticket}\n`)).toBe('')
  })
})
