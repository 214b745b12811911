import type { ConnectedSocket } from '../transport/byte-socket.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import type { DialOptions } from './dial-options.ts'
import { dialPlain } from './dial-plain.ts'
import { socketInTime } from './socket-in-time.ts'

/** What answers at a port, as far as its first bytes tell. */
export type ListenerKind = 'ssh' | 'mysql' | 'http' | 'clickhouse-native' | 'tls' | 'unknown'

/** Whoever speaks first does so at once. */
const GREETING_WAIT_MS = 500
const ANSWER_WAIT_MS = 1_500
const MAX_BYTES = 512
const HTTP_QUESTION = 'GET /ping HTTP/1.0\r\n\r\n'

/**
 * Finds out what listens where a driver failed, for the explanation: waits for a greeting, asks by HTTP, tries TLS. Nothing of
 * the data source is sent. Each step has a socket of its own, dialled like any other; what fails is `unknown`.
 */
export async function identifyListener(route: DataSourceRoute, options: DialOptions): Promise<ListenerKind> {
  const quietly = { ...options, onStage: undefined, timeoutMs: Math.min(options.timeoutMs, 5_000) }
  try {
    const greeted = fromGreeting(await exchange(await dialPlain(route, quietly), '', GREETING_WAIT_MS))
    if (greeted !== undefined) return greeted
    const answered = fromAnswer(await exchange(await dialPlain(route, quietly), HTTP_QUESTION, ANSWER_WAIT_MS))
    if (answered !== undefined) return answered
    return (await speaksTls(await dialPlain(route, quietly))) ? 'tls' : 'unknown'
  } catch {
    return 'unknown' // the failure that is to be explained stays as it was
  }
}

function fromGreeting(bytes: Buffer): ListenerKind | undefined {
  if (bytes.subarray(0, 4).toString('latin1') === 'SSH-') return 'ssh'
  // Length (3), sequence number 0, then protocol version 10 or an error packet.
  const isMysql = bytes.length > 5 && bytes.readUIntLE(0, 3) === bytes.length - 4 && bytes[3] === 0
  return isMysql && (bytes[4] === 0x0a || bytes[4] === 0xff) ? 'mysql' : undefined
}

function fromAnswer(bytes: Buffer): ListenerKind | undefined {
  const text = bytes.toString('latin1')
  if (/^HTTP\/1\.\d 400 .*\r\n\r\nPort \d+ is for clickhouse-client/s.test(text)) return 'clickhouse-native'
  if (text.startsWith('HTTP/')) return 'http'
  // A TLS record that holds an alert.
  return bytes[0] === 0x15 && bytes[1] === 3 ? 'tls' : undefined
}

/** What comes until it is enough, the peer ends, or the time is over. */
function exchange(socket: ConnectedSocket, question: string, waitMs: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    const finish = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(Buffer.concat(chunks))
    }
    const timer = setTimeout(finish, waitMs)
    socket.setHandlers({
      onData(chunk) {
        chunks.push(Buffer.from(chunk))
        length += chunk.length
        if (length >= MAX_BYTES || question === '') finish()
      },
      onDrain() {},
      onEnd: finish,
      onClose: finish,
    })
    if (question !== '') socket.write(Buffer.from(question))
  })
}

async function speaksTls(socket: ConnectedSocket): Promise<boolean> {
  const handshake = socket.upgradeToTls({ serverName: undefined, caPem: undefined, verify: 'none' })
  try {
    await socketInTime(handshake, { timeoutMs: ANSWER_WAIT_MS }, ['UPSTREAM_TIMED_OUT', 'no TLS in time'])
    return true
  } catch {
    return false // it does not, or not with us
  } finally {
    socket.destroy()
  }
}
