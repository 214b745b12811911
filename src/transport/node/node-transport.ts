import { once } from 'node:events'
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type {
  AcceptedSocket,
  ByteListener,
  ConnectedSocket,
  ConnectTarget,
  ListenOptions,
  SecuredSocket,
  TlsByteSocket,
  TlsClientOptions,
  Transport,
} from '../byte-socket.ts'
import { NodeSocket, tune } from './node-socket.ts'
import { acceptTls, connectTls, secureContext } from './node-tls-socket.ts'

/** Sockets of `node:net` and `node:tls`: slower than the runtime's own, and there for the day those fail somebody. */
export const nodeTransport: Transport = { name: 'node', listen, connect }

class NodeAcceptedSocket extends NodeSocket implements AcceptedSocket {
  readonly #context: () => SecureContext

  constructor(stream: Socket, context: () => SecureContext) {
    super(stream)
    this.#context = context
  }

  async upgradeToTls(firstBytes: Uint8Array): Promise<TlsByteSocket> {
    return acceptTls(this, this.#context(), firstBytes)
  }
}

class NodeConnectedSocket extends NodeSocket implements ConnectedSocket {
  async upgradeToTls(options: TlsClientOptions): Promise<SecuredSocket> {
    return connectTls(this, options)
  }
}

async function listen(options: ListenOptions): Promise<ByteListener> {
  let context = secureContext(options.tls)
  const server = createServer({ allowHalfOpen: true }, (stream) => {
    tune(stream)
    options.onConnection(new NodeAcceptedSocket(stream, () => context))
  })
  const { host, port, reusePort } = options
  // Not exclusive, a worker of node:cluster would ask its parent for the port.
  server.listen({ host, port, reusePort, exclusive: true })
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    setTlsIdentity(next) {
      context = secureContext(next)
    },
    stop: () => void server.close(),
  }
}

async function connect(target: ConnectTarget, timeoutMs: number): Promise<ConnectedSocket> {
  const address = target.kind === 'unix' ? { path: target.path } : { host: target.address, port: target.port }
  const stream = connectSocket({ ...address, allowHalfOpen: true })
  const timer = setTimeout(() => {
    stream.destroy(Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: 'ETIMEDOUT' }))
  }, timeoutMs)
  try {
    await once(stream, 'connect')
  } finally {
    clearTimeout(timer)
  }
  tune(stream)
  return new NodeConnectedSocket(stream)
}
