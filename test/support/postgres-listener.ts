import type {
  AcceptedSocket,
  ByteListener,
  TlsByteSocket,
  TlsIdentity,
  Transport,
} from '../../src/transport/byte-socket.ts'
import { RecordedSocket } from './recorded-socket.ts'

export const SSL_REQUEST = Buffer.from('0000000804d2162f', 'hex')

/** A TLS listener that accepts as the gateway does, SSLRequest or direct TLS, and hands out what comes of it in order. */
export interface PostgresListener extends ByteListener {
  /** The next socket whose handshake is done, or the error of the next that failed. */
  nextSession(): Promise<TlsByteSocket>
  /** The next accepted socket, with no handlers set: only of listeners that do not negotiate. */
  nextAccepted(): Promise<AcceptedSocket>
  readonly handshakesBegun: number
}

/** @param negotiate false leaves accepted sockets alone */
export async function listenForPostgres(
  transport: Transport,
  tls: TlsIdentity,
  negotiate = true,
): Promise<PostgresListener> {
  const sessions = new Queue<Promise<TlsByteSocket>>()
  const accepted = new Queue<AcceptedSocket>()
  let handshakesBegun = 0
  const upgrade = (socket: AcceptedSocket, firstBytes: Uint8Array): void => {
    handshakesBegun++
    const session = socket.upgradeToTls(firstBytes)
    session.catch(() => {})
    sessions.add(session)
  }
  const listener = await transport.listen({
    host: '127.0.0.1',
    port: 0,
    reusePort: false,
    tls,
    onConnection(socket) {
      if (!negotiate) {
        accepted.add(socket)
        return
      }
      const recorded: RecordedSocket = new RecordedSocket(socket, (chunk) => {
        if (SSL_REQUEST.equals(chunk)) {
          socket.write(Buffer.from('S'))
          upgrade(socket, new Uint8Array())
        } else if (chunk[0] === 0x16) upgrade(socket, chunk)
        else recorded.socket.destroy()
      })
    },
  })
  return {
    ...listener,
    get handshakesBegun() {
      return handshakesBegun
    },
    nextSession: async () => sessions.next(),
    nextAccepted: () => accepted.next(),
  }
}

class Queue<T> {
  #items: T[] = []
  #waiting: ((item: T) => void)[] = []

  add(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#items.push(item)
    else waiting(item)
  }

  next(): Promise<T> {
    const item = this.#items.shift()
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item)
  }
}
