import type {
  AcceptedSocket,
  ByteListener,
  ConnectedSocket,
  ConnectTarget,
  ListenOptions,
  SecuredSocket,
  TlsByteSocket,
  TlsClientOptions,
  TlsIdentity,
  Transport,
} from '../byte-socket.ts'
import { nativeEvents, NativeSocket, tune } from './native-socket.ts'
import { acceptTls, checkIdentity, connectTls } from './native-tls-socket.ts'

/** Sockets of Bun itself: the hot path of the gateway. */
export const bunTransport: Transport = { name: 'bun', listen, connect }

class NativeAcceptedSocket extends NativeSocket implements AcceptedSocket {
  readonly #identity: () => TlsIdentity

  constructor(native: Bun.Socket<NativeSocket>, identity: () => TlsIdentity) {
    super(native.remoteAddress, native.remotePort)
    this.#identity = identity
    this.attach(native)
  }

  async upgradeToTls(firstBytes: Uint8Array): Promise<TlsByteSocket> {
    return acceptTls(this, this.#identity(), firstBytes)
  }
}

class NativeConnectedSocket extends NativeSocket implements ConnectedSocket {
  constructor(native: Bun.Socket<NativeSocket>) {
    super(native.remoteAddress ?? '', native.remotePort ?? 0)
    this.attach(native)
  }

  async upgradeToTls(options: TlsClientOptions): Promise<SecuredSocket> {
    return connectTls(this, options)
  }
}

async function listen(options: ListenOptions): Promise<ByteListener> {
  checkIdentity(options.tls)
  let identity = options.tls
  const socketOptions: Bun.TCPSocketListenOptions<NativeSocket> & { reusePort: boolean } = {
    hostname: options.host,
    port: options.port,
    reusePort: options.reusePort,
    allowHalfOpen: true,
    socket: {
      ...nativeEvents,
      open(native) {
        tune(native)
        const socket = new NativeAcceptedSocket(native, () => identity)
        native.data = socket
        options.onConnection(socket)
      },
    },
  }
  const listener = Bun.listen(socketOptions)
  return {
    port: listener.port,
    setTlsIdentity(next) {
      checkIdentity(next)
      identity = next
    },
    stop: () => listener.stop(false),
  }
}

function connect(target: ConnectTarget, timeoutMs: number): Promise<ConnectedSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<ConnectedSocket>()
  let late = false
  const timer = setTimeout(() => {
    late = true
    reject(Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: 'ETIMEDOUT' }))
  }, timeoutMs)
  const address = target.kind === 'unix' ? { unix: target.path } : { hostname: target.address, port: target.port }
  const socket: Bun.SocketHandler<NativeSocket> = {
    ...nativeEvents,
    open(native) {
      clearTimeout(timer)
      tune(native)
      const connected = new NativeConnectedSocket(native)
      native.data = connected
      // The runtime cannot give up a connection attempt, only what comes of it.
      if (late) connected.destroy()
      else resolve(connected)
    },
  }
  Bun.connect({ ...address, allowHalfOpen: true, socket } as Bun.TCPSocketConnectOptions<NativeSocket>).catch(
    (error: unknown) => {
      clearTimeout(timer)
      reject(error)
    },
  )
  return promise
}
