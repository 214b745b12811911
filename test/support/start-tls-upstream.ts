import { connect, type Socket } from 'node:net'
import { startFakeUpstream, type FakeUpstream } from './fake-upstream.ts'

/** Protocols that a database begins in the clear with, and that ask for TLS inside. */
type StartTlsProtocol = 'postgres' | 'mysql'

/** Length of the request for TLS. */
const REQUEST_BYTES: Readonly<Record<StartTlsProtocol, number>> = { postgres: 8, mysql: 4 + 32 }

/** MySQL's greeting of protocol 10: version, thread, salt, capabilities with SSL, PLUGIN_AUTH and SECURE_CONNECTION. */
const MYSQL_GREETING = Buffer.concat([
  Buffer.from([0x0a]),
  Buffer.from('8.0.36\0'),
  Buffer.from([1, 0, 0, 0]),
  Buffer.from('12345678\0'),
  Buffer.from([0xff, 0xff, 0x2d, 0x02, 0x00, 0xff, 0xc7, 21]),
  Buffer.alloc(10),
  Buffer.from('123456789012\0'),
  Buffer.from('mysql_native_password\0'),
])

/**
 * Agrees to TLS as a server of the protocol does, and leaves the rest to the TLS server at `tlsPort`. What it hears in the clear
 * is what it has received.
 */
export function startStartTlsUpstream(protocol: StartTlsProtocol, tlsPort: number): Promise<FakeUpstream> {
  const behind = new WeakMap<Socket, Socket>()
  return startFakeUpstream(
    (socket, chunk) => {
      const tls = behind.get(socket)
      if (tls !== undefined) {
        tls.write(chunk)
        return
      }
      const next = connect(tlsPort, '127.0.0.1')
      behind.set(socket, next)
      next.on('error', () => undefined)
      next.on('data', (bytes: Buffer) => socket.write(bytes))
      next.on('close', () => socket.end())
      socket.on('close', () => next.destroy())
      // The driver may have begun TLS already.
      const hello = chunk.subarray(REQUEST_BYTES[protocol])
      if (hello.length > 0) next.write(hello)
      if (protocol === 'postgres') socket.write('S')
    },
    (socket) => {
      if (protocol === 'mysql') socket.write(packet(0, MYSQL_GREETING))
    },
  )
}

function packet(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(payload.length, 0, 3)
  header[3] = sequence
  return Buffer.concat([header, payload])
}
