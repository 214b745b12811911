// A server that speaks just enough Postgres for a session to log in and stay: thousands of real backends do not fit on a small
// machine, and what is measured is the process in front of them. Listens on a Unix socket and on TCP with TLS.
// Takes FakeUpstreamOptions from the environment and prints its TCP port.

import { createHmac } from 'node:crypto'
import { chmodSync } from 'node:fs'
import { createServer } from 'node:net'
import { bunTransport } from '../src/transport/bun/bun-transport.ts'
import type { ByteSocket, TlsIdentity } from '../src/transport/byte-socket.ts'

export interface FakeUpstreamOptions {
  readonly socketPath: string
  readonly tls: TlsIdentity
  /** Answer to the gateway's question who the session is; anybody else's query gets the same row. */
  readonly roleOid: string
  readonly systemIdentifier: string
  /** Of the Postgres role, for SCRAM on the TLS side: `SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>`. */
  readonly verifier: string
}

const sslRequestLength = 8
const parameters = {
  client_encoding: 'UTF8',
  DateStyle: 'ISO, MDY',
  default_transaction_read_only: 'off',
  in_hot_standby: 'off',
  integer_datetimes: 'on',
  IntervalStyle: 'postgres',
  is_superuser: 'off',
  scram_iterations: '4096',
  server_encoding: 'UTF8',
  server_version: '18.4',
  session_authorization: 'bench',
  standard_conforming_strings: 'on',
  TimeZone: 'UTC',
}

const options = JSON.parse(process.env['BENCH_OPTIONS'] ?? '{}') as FakeUpstreamOptions
const readyForQuery = message('Z', Buffer.from('I'))
const greeting = Buffer.concat([
  message('R', int32(0)),
  ...Object.entries(parameters).map(([name, value]) => message('S', Buffer.from(`${name}\0${value}\0`))),
  message('K', Buffer.concat([int32(4242), int32(1)])),
  readyForQuery,
])
const columns = [options.roleOid, options.systemIdentifier]
const answer = Buffer.concat([
  message(
    'T',
    Buffer.concat([int16(columns.length), ...columns.map((_, index) => columnDescription(`column${index}`))]),
  ),
  message(
    'D',
    Buffer.concat([int16(columns.length), ...columns.flatMap((text) => [int32(text.length), Buffer.from(text)])]),
  ),
  message('C', Buffer.from('SELECT 1\0')),
  readyForQuery,
])

/** One chunk is one message here: clients of the bench send no more before they were answered. */
function replyTo(chunk: Uint8Array): Uint8Array | undefined {
  if (chunk[0] === 0) return greeting
  return chunk[0] === 'Q'.charCodeAt(0) ? answer : undefined
}

/** The same behind SCRAM (RFC 5802 section 3). The proof of the client is believed, that of the server is a real one. */
function replyAfterScram(): (chunk: Uint8Array) => Uint8Array | undefined {
  const [, salt = '', serverKey = ''] = /:(.+)\$.+:(.+)$/.exec(options.verifier) ?? []
  let said = ''
  return (chunk) => {
    if (chunk[0] === 0) return message('R', Buffer.concat([int32(10), Buffer.from('SCRAM-SHA-256\0\0')]))
    if (chunk[0] !== 'p'.charCodeAt(0)) return replyTo(chunk)
    const text = Buffer.from(chunk).toString('latin1')
    const bare = /n=[^,]*,r=(.+)$/.exec(text)
    if (bare !== null) {
      const serverFirst = `r=${bare[1]}server,s=${salt},i=4096`
      said = `${bare[0]},${serverFirst}`
      return message('R', Buffer.concat([int32(11), Buffer.from(serverFirst)]))
    }
    const withoutProof = /c=.+(?=,p=)/.exec(text)?.[0] ?? ''
    const signature = createHmac('sha256', Buffer.from(serverKey, 'base64')).update(`${said},${withoutProof}`)
    const serverFinal = message('R', Buffer.concat([int32(12), Buffer.from(`v=${signature.digest('base64')}`)]))
    return Buffer.concat([serverFinal, greeting])
  }
}

function serve(socket: ByteSocket): void {
  const reply = replyAfterScram()
  socket.setHandlers({
    onData(chunk) {
      const bytes = reply(chunk)
      if (bytes !== undefined) socket.write(bytes)
    },
    onDrain: () => undefined,
    onEnd: () => socket.end(),
    onClose: () => undefined,
  })
}

createServer((socket) => {
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    const reply = replyTo(chunk)
    if (reply !== undefined) socket.write(reply)
  })
}).listen({ path: options.socketPath, backlog: 512 }, () => chmodSync(options.socketPath, 0o777))

const listener = await bunTransport.listen({
  host: '127.0.0.1',
  port: 0,
  reusePort: false,
  tls: options.tls,
  onConnection(socket) {
    socket.setHandlers({
      onData(chunk) {
        if (chunk.length !== sslRequestLength) return socket.destroy()
        socket.write(Buffer.from('S'))
        socket.upgradeToTls(new Uint8Array()).then(serve, () => undefined)
      },
      onDrain: () => undefined,
      onEnd: () => socket.end(),
      onClose: () => undefined,
    })
  },
})
console.log(listener.port)
process.stdin.on('end', () => process.exit(0)).resume()

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

function columnDescription(name: string): Buffer {
  return Buffer.concat([Buffer.from(`${name}\0`), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}
