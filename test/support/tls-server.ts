import type { AddressInfo, Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'

/** A server on loopback that speaks TLS at once. */
export interface TlsServer {
  readonly port: number
  /** Everything received inside TLS so far. */
  received(): Buffer
  stop(): Promise<void>
}

export interface TlsServerOptions {
  readonly identity: TlsIdentity
  /** PEM of the authority that client certificates must come from; without it none is asked for. */
  readonly clientCa?: string
  readonly onSecured?: (socket: TLSSocket) => void
}

export async function startTlsServer({ identity, clientCa, onSecured }: TlsServerOptions): Promise<TlsServer> {
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer(
    {
      cert: identity.certificateChainPem,
      key: identity.privateKeyPem,
      ...(clientCa !== undefined && { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    },
    (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      onSecured?.(socket)
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
