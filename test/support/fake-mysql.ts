import { createServer, type AddressInfo, type Socket } from 'node:net'

/** What a server of ours answers to the packets of a client, in order; after the last one it is silent. */
export interface FakeMysql {
  readonly port: number
  /** Everything that any client sent. */
  received(): Buffer
  stop(): Promise<void>
}

const PROTOCOL_41 = 0x0200
const SSL = 0x0800
const SECURE_CONNECTION = 0x8000
const PLUGIN_AUTH = 0x0008_0000
/** LOCAL_FILES, CONNECT_WITH_DB, MULTI_RESULTS: a hostile server offers everything. */
const OTHERS = 0x0080 | 0x0008 | 0x0002_0000
const SCRAMBLE = Buffer.from('0123456789abcdefghij')

/** A server that speaks MySQL as far as the test says. @param answers payloads; several for one packet of the client */
export async function startFakeMysql(answers: readonly (Buffer | readonly Buffer[])[]): Promise<FakeMysql> {
  return startFake((socket) => {
    socket.write(packet(greeting(), 0))
    let next = 0
    socket.on('data', (chunk) => {
      const answer = answers[next]
      next += 1
      if (answer === undefined) return
      let sequence = (chunk[3] ?? 0) + 1
      for (const payload of Array.isArray(answer) ? (answer as Buffer[]) : [answer as Buffer]) {
        socket.write(packet(payload, sequence))
        sequence += 1
      }
    })
  })
}

/** A server that sends these bytes to whoever connects, whatever they mean. */
export async function startFakeGreeting(bytes: Buffer): Promise<FakeMysql> {
  return startFake((socket) => socket.write(bytes))
}

async function startFake(serve: (socket: Socket) => void): Promise<FakeMysql> {
  const received: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => received.push(chunk))
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    received: () => Buffer.concat(received),
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function packet(payload: Buffer, sequence: number): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(payload.length, 0, 3)
  header[3] = sequence
  return Buffer.concat([header, payload])
}

/** HandshakeV10 without TLS, as the protocol's documentation has it. */
function greeting(): Buffer {
  const flags = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | (OTHERS & ~SSL)
  const numbers = Buffer.alloc(4)
  numbers.writeUInt32LE(flags >>> 0)
  return Buffer.concat([
    Buffer.from([10]),
    Buffer.from('8.0.36\0'),
    Buffer.from([7, 0, 0, 0]),
    SCRAMBLE.subarray(0, 8),
    Buffer.from([0]),
    numbers.subarray(0, 2),
    Buffer.from([45, 2, 0]),
    numbers.subarray(2, 4),
    Buffer.from([21]),
    Buffer.alloc(10),
    SCRAMBLE.subarray(8),
    Buffer.from([0]),
    Buffer.from('mysql_native_password\0'),
  ])
}

export const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0])

/** Asks the client to prove itself in another manner. */
export function authSwitch(plugin: string, data: Buffer = Buffer.concat([SCRAMBLE, Buffer.from([0])])): Buffer {
  return Buffer.concat([Buffer.from([0xfe]), Buffer.from(`${plugin}\0`), data])
}

/** One more packet of the login dialogue. */
export function authMore(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([1]), data])
}

/** Asks for a file of the client, as an answer to a query. */
export function localInfile(path: string): Buffer {
  return Buffer.concat([Buffer.from([0xfb]), Buffer.from(path)])
}

/** A result of one column and one row, both texts. */
export function textResult(name: string, value: string): Buffer[] {
  const text = (content: string): Buffer => Buffer.concat([Buffer.from([content.length]), Buffer.from(content)])
  const column = Buffer.concat([
    ...['def', '', '', '', name, name].map(text),
    Buffer.from([12, 45, 0, 0, 1, 0, 0, 253, 0, 0, 0, 0, 0]),
  ])
  const eof = Buffer.from([0xfe, 0, 0, 2, 0])
  return [Buffer.from([1]), column, eof, text(value), eof]
}
