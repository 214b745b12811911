import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'
import { requireTool } from './requirements.ts'

/** A server on loopback that speaks TLS at once. */
export interface TlsServer {
  readonly port: number
  /** Everything received inside TLS so far. */
  received(): Buffer
  stop(): Promise<void>
}

export async function startTlsServer(identity: TlsIdentity): Promise<TlsServer> {
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer(
    {
      cert: identity.certificateChainPem,
      key: identity.privateKeyPem,
    },
    (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    },
  )
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    received: () => Buffer.concat(chunks),
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

/**
 * A server that lets in only clients whose certificate comes from `clientCa`, and tells the others by an alert, as databases do.
 * It is openssl's own, since those of Node and Bun close the socket without a word.
 */
export async function startClientCertificateServer(
  identity: TlsIdentity,
  clientCa: string,
): Promise<Omit<TlsServer, 'received'>> {
  const folder = mkdtempSync(join(tmpdir(), 'tls-server-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    return join(folder, name)
  }
  const cert = file('server.pem', identity.certificateChainPem)
  const material = ['-cert', cert, '-key', file('server.key', identity.privateKeyPem)]
  const clients = ['-CAfile', file('clients.pem', clientCa), '-Verify', '1', '-verify_return_error']
  const server = spawn(requireTool('openssl'), ['s_server', '-accept', '127.0.0.1:0', ...material, ...clients], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const port = await new Promise<number>((resolve, reject) => {
    let text = ''
    server.once('exit', () => reject(new Error(`openssl s_server ended: ${text}`)))
    server.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const found = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(text)?.[1]
      if (found !== undefined) resolve(Number(found))
    })
  })
  return {
    port,
    async stop() {
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}
