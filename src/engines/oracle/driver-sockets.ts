import { AsyncLocalStorage } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import buffers from 'oracledb/lib/impl/datahandlers/buffer.js'
import NTTCP, { type Packet, type TnsTransport } from 'oracledb/lib/thin/sqlnet/ntTcp.js'
import { PosternError } from '../../base/errors.ts'
import { readRedirect, looksLikeTns, redirectOverflow, type RedirectTarget } from './redirect.ts'
import { renderOracleDate } from './render-dates.ts'

/** How one login of the driver gets its streams. */
export interface DriverWay {
  /** Opens a stream to the data source, or to where its listener sent us on. */
  dial(redirect: RedirectTarget | undefined): Promise<Duplex>
  redirect: RedirectTarget | undefined
  redirects: number
  /** Number that the listener refused with: the driver tells only two of them as a number. */
  refusal: string | undefined
  /** Why the way failed, in our words; the driver only sees that it was closed. */
  failure: PosternError | undefined
}

/** As many as it takes: from the SCAN listener to a node, from a node to a dispatcher. */
const MAX_REDIRECTS = 2
const REFUSE = 4
const REDIRECT = 5

const ways = new AsyncLocalStorage<DriverWay>()

/** Runs a login of the driver with its sockets coming from `way`. */
export function withWay<T>(way: DriverWay, work: () => Promise<T>): Promise<T> {
  return ways.run(way, work)
}

let isTakenOver = false

/**
 * The driver opens sockets itself, follows redirects of a listener wherever they lead, and cuts times down to milliseconds.
 * It has no setting for any of it, so these places of it (one pinned version; the tests notice another) are replaced.
 */
export function takeOverDriver(): void {
  if (isTakenOver) return
  isTakenOver = true
  const { startRead, receive } = NTTCP.prototype
  Object.assign(NTTCP.prototype, {
    async ntConnect(this: TnsTransport) {
      const way = currentWay()
      this.stream = await noting(way, () => way.dial(way.redirect))
      this.connected = true
    },
    // TLS is done below.
    tlsConnect: () => Promise.resolve(),
    renegTLS() {
      const way = currentWay()
      return noting(way, () => Promise.reject(secondHandshake()))
    },
    startRead(this: TnsTransport) {
      startRead.call(this)
      checkFirstBytes(this, currentWay())
    },
    async receive(this: TnsTransport) {
      const packet = await receive.call(this)
      const way = ways.getStore()
      if (packet?.type === REFUSE && way !== undefined) way.refusal = refusalOf(packet.buf)
      return packet?.type === REDIRECT && way !== undefined
        ? noting(way, () => redirected(this, packet, way, receive))
        : packet
    },
  })
  Object.assign(buffers.BaseBuffer.prototype, {
    parseOracleDate: (bytes: Buffer, _useLocalTime: boolean, isInDatabaseZone: boolean) =>
      renderOracleDate(bytes, isInDatabaseZone),
  })
}

async function redirected(
  transport: TnsTransport,
  packet: Packet,
  way: DriverWay,
  receive: TnsTransport['receive'],
): Promise<Packet> {
  way.redirects += 1
  if (way.redirects > MAX_REDIRECTS) {
    throw new PosternError('UPSTREAM_ADDRESS_REFUSED', 'the listener of the database redirects in circles')
  }
  const overflow = redirectOverflow(packet.buf) > 0 ? await receive.call(transport) : undefined
  const { target, rewritten } = readRedirect(packet.buf, packet.flags, overflow?.buf)
  way.redirect = target
  return { ...packet, buf: rewritten }
}

function refusalOf(packet: Buffer): string | undefined {
  const number = /\(ERR=(\d{3,5})\)/.exec(packet.toString('latin1'))?.[1]
  return number === undefined ? undefined : `ORA-${number.padStart(5, '0')}`
}

/** Whoever answers in another protocol would be waited for until the time is over. */
function checkFirstBytes(transport: TnsTransport, way: DriverWay): void {
  let start = Buffer.alloc(0)
  const { stream } = transport
  const look = (chunk: Buffer): void => {
    start = Buffer.concat([start, chunk])
    if (start.length < 8 && !isTlsAlert(start)) return
    stream?.off('data', look)
    if (looksLikeTns(start)) return
    way.failure = isTlsAlert(start) ? tlsPort() : notOracle()
    stream?.destroy(way.failure)
  }
  stream?.on('data', look)
}

/** The driver wraps what is thrown below it: the first failure of ours is kept as it was. */
async function noting<T>(way: DriverWay, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof PosternError) way.failure ??= thrown
    throw thrown
  }
}

function currentWay(): DriverWay {
  const way = ways.getStore()
  if (way === undefined) throw new PosternError('INTERNAL', 'the Oracle driver wants a socket outside of a login')
  return way
}

function isTlsAlert(start: Buffer): boolean {
  return start[0] === 0x15 && start[1] === 0x03
}

function tlsPort(): PosternError {
  return new PosternError('UPSTREAM_TLS_ON_PLAIN_PORT', 'the port of the listener speaks TLS (TCPS)', {
    hint: 'Choose a TLS mode other than disable, or the port without TLS.',
  })
}

function notOracle(): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', 'what answers at the address of the database is no Oracle listener', {
    hint: 'Check the port; a listener is at 1521 as a rule.',
  })
}

function secondHandshake(): PosternError {
  return new PosternError(
    'UPSTREAM_PROTOCOL',
    'the listener asks for a second TLS handshake in the middle, which Postern does not do',
    { hint: 'Reach the listener through an SSH tunnel without TLS.' },
  )
}
