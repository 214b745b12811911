import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'

/** What the listener does with a CONNECT; `raw` says something that is not TNS, to whatever comes or at once. */
export type TnsBehaviour =
  | { readonly refuse: number }
  | { readonly redirect: string | Buffer; readonly withConnectData?: string; readonly isSplit?: boolean }
  | { readonly raw: string | Buffer; readonly isBanner?: boolean }
  | { readonly resend: 'with a second handshake' }
  | 'silent'

/**
 * The listener of an Oracle database as far as it goes before a session: it reads CONNECT packets and refuses, redirects or
 * misbehaves. It never accepts: no server process stands behind it.
 */
export interface FakeTnsListener {
  readonly port: number
  /** The connect data of every CONNECT that came. */
  readonly connects: readonly string[]
  /** Sockets that were ever opened. */
  readonly opened: number
  openNow(): Promise<number>
  stop(): Promise<void>
}

const CONNECT = 1
const REFUSE = 4
const REDIRECT = 5
const DATA = 6
const RESEND = 11
const SECOND_HANDSHAKE = 0x08
const CONNECT_DATA_LENGTH_AT = 24
const CONNECT_DATA_OFFSET_AT = 26

export async function startFakeTnsListener(
  behaviour: TnsBehaviour,
  host = '127.0.0.1',
  tls?: TlsIdentity,
): Promise<FakeTnsListener> {
  const connects: string[] = []
  let opened = 0
  const serve = (socket: Socket): void => {
    opened += 1
    socket.on('error', () => undefined)
    if (typeof behaviour === 'object' && 'raw' in behaviour && behaviour.isBanner) socket.write(behaviour.raw)
    let unread = Buffer.alloc(0)
    let connectData: string | undefined
    let missing = 0
    socket.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk])
      while (unread.length >= 8 && unread.length >= unread.readUInt16BE(0)) {
        const packet = unread.subarray(0, unread.readUInt16BE(0))
        unread = unread.subarray(packet.length)
        if (packet[4] === CONNECT) {
          const length = packet.readUInt16BE(CONNECT_DATA_LENGTH_AT)
          const from = packet.readUInt16BE(CONNECT_DATA_OFFSET_AT)
          connectData = packet.toString('latin1', from, from + length)
          missing = length - connectData.length
        } else if (packet[4] === DATA && connectData !== undefined) {
          connectData += packet.toString('latin1', 10)
          missing = 0
        }
        if (connectData !== undefined && missing <= 0) {
          connects.push(connectData)
          connectData = undefined
          answer(socket, behaviour)
        }
      }
    })
  }
  const server: Server =
    tls === undefined
      ? createServer(serve)
      : createTlsServer({ cert: tls.certificateChainPem, key: tls.privateKeyPem }, serve)
  await new Promise<void>((resolve) => server.listen(0, host, () => resolve()))
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return {
    port: (server.address() as AddressInfo).port,
    connects,
    get opened() {
      return opened
    },
    openNow: () =>
      new Promise((resolve, reject) => server.getConnections((error, n) => (error ? reject(error) : resolve(n)))),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

function answer(socket: Socket, behaviour: TnsBehaviour): void {
  if (behaviour === 'silent') return
  if ('resend' in behaviour) {
    socket.write(packetOf(RESEND, SECOND_HANDSHAKE, Buffer.alloc(0)))
    return
  }
  if ('raw' in behaviour) {
    if (behaviour.isBanner !== true) socket.write(behaviour.raw)
    return
  }
  if ('refuse' in behaviour) {
    const text = `(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=${behaviour.refuse})(ERROR_STACK=(ERROR=(CODE=${behaviour.refuse})(EMFI=4))))`
    const data = Buffer.from(text)
    const body = Buffer.alloc(4)
    body.writeUInt16BE(data.length, 2)
    socket.write(packetOf(REFUSE, 0, Buffer.concat([body, data])))
    return
  }
  const address = Buffer.from(behaviour.redirect)
  const more = behaviour.withConnectData
  const data = more === undefined ? address : Buffer.concat([address, Buffer.from(`\0${more}`)])
  const length = Buffer.alloc(2)
  length.writeUInt16BE(data.length)
  const flags = more === undefined ? 0 : 0x02
  if (behaviour.isSplit) {
    socket.write(packetOf(REDIRECT, flags, length))
    socket.write(packetOf(DATA, 0, Buffer.concat([Buffer.alloc(2), data])))
  } else {
    socket.write(packetOf(REDIRECT, flags, Buffer.concat([length, data])))
  }
}

function packetOf(type: number, flags: number, body: Buffer): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16BE(8 + body.length, 0)
  header[4] = type
  header[5] = flags
  return Buffer.concat([header, body])
}
