import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { type Duplex, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ByteSocket, TlsIdentity } from '../../src/transport/byte-socket.ts'
import { toDuplex } from '../../src/transport/duplex.ts'
import { transports } from '../../src/transport/transports.ts'
import { listenForPostgres, type PostgresListener } from '../support/postgres-listener.ts'
import { RecordedSocket } from '../support/recorded-socket.ts'
import { describeWith } from '../support/requirements.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'

const MIB = 1 << 20
const PIECE = randomBytes(MIB)
const PIECES = 64
/** Send and receive buffers of the kernel, TLS and the runtime together stay far below this. */
const MAX_IN_FLIGHT = 24 * MIB

for (const transport of Object.values(transports)) {
  describeWith(['openssl'], `byte streams of the ${transport.name} transport`, () => {
    let authority: TestAuthority
    let identity: TlsIdentity
    let listener: PostgresListener
    const peers: Duplex[] = []

    beforeAll(() => {
      authority = createTestAuthority('Test authority')
      identity = authority.issue(['db.test'])
    })
    afterAll(() => authority.remove())
    afterEach(() => {
      for (const peer of peers.splice(0)) peer.destroy()
      listener.stop()
    })

    for (const layer of ['plain', 'TLS'] as const) {
      /** A Node stream and, at its other end, a socket of ours. Neither ends because the other does. */
      async function pair(): Promise<{ peer: Socket | TLSSocket; raw: Socket; accepted: ByteSocket }> {
        listener = await listenForPostgres(transport, identity, layer === 'TLS')
        const raw = connect({ host: '127.0.0.1', port: listener.port, allowHalfOpen: true })
        const options = { socket: raw, ca: authority.caPem, servername: 'db.test', allowHalfOpen: true }
        const peer = layer === 'TLS' ? connectTls(options) : raw
        peers.push(peer, raw)
        await once(peer, layer === 'TLS' ? 'secureConnect' : 'connect')
        peer.on('error', () => {})
        raw.on('error', () => {})
        return { peer, raw, accepted: layer === 'TLS' ? await listener.nextSession() : await listener.nextAccepted() }
      }

      describe(`over ${layer}`, () => {
        test('64 MiB each way at once arrive whole', async () => {
          const { peer, accepted } = await pair()
          const ours = createHash('sha256')
          const theirs = createHash('sha256')
          const session = new RecordedSocket(accepted, (chunk) => ours.update(chunk))
          const received = count(peer, (chunk) => theirs.update(chunk))
          const expected = createHash('sha256')
          const sending = (async () => {
            for (let i = 0; i < PIECES; i++) await session.send(PIECE)
          })()
          for (let i = 0; i < PIECES; i++) {
            expected.update(PIECE)
            if (!peer.write(PIECE)) await once(peer, 'drain')
          }
          await sending
          await session.until(({ receivedBytes }) => receivedBytes === PIECES * MIB)
          session.socket.end()
          expect(await received).toBe(PIECES * MIB)
          const digest = expected.digest('hex')
          expect(ours.digest('hex')).toBe(digest)
          expect(theirs.digest('hex')).toBe(digest)
        })

        test('write takes nothing more while the peer does not read, and onDrain tells when it does', async () => {
          const { peer, accepted } = await pair()
          const drains: number[] = []
          let taken = 0
          accepted.setHandlers({ onData() {}, onDrain: () => drains.push(taken), onEnd() {}, onClose() {} })
          peer.pause()
          const fill = (): void => {
            for (let n = accepted.write(PIECE); n > 0; n = accepted.write(PIECE.subarray(0, MIB))) taken += n
          }
          do {
            drains.length = 0
            fill()
            await sleep(100)
          } while (drains.length > 0)
          expect(taken).toBeGreaterThan(0)
          expect(taken).toBeLessThan(MAX_IN_FLIGHT)
          peer.resume()
          while (drains.length === 0) await sleep(5)
          expect(accepted.write(PIECE)).toBeGreaterThan(0)
        })

        test('a paused socket lets the peer send no more than fits in between, and loses nothing', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          session.socket.pause()
          let sent = 0
          while (peer.write(PIECE)) sent += MIB
          let unsent = peer.writableLength
          for (let before = -1; before !== unsent; unsent = peer.writableLength) {
            before = unsent
            await sleep(50)
            if (peer.writableLength < MIB && sent < MAX_IN_FLIGHT) {
              peer.write(PIECE)
              sent += MIB
            }
          }
          expect(session.receivedBytes).toBe(0)
          expect(sent).toBeLessThan(MAX_IN_FLIGHT)
          const total = peer.bytesWritten
          session.socket.resume()
          peer.end()
          await session.until(({ events }) => events.includes('end'))
          if (layer === 'plain') expect(session.receivedBytes).toBe(total)
          expect(session.receivedBytes % MIB).toBe(0)
          expect(session.receivedBytes).toBeGreaterThan(0)
        })

        test('pause within onData stops onData at once', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted, () => session.socket.pause())
          peer.write(PIECE)
          let chunks = 0
          while (session.receivedBytes < MIB) {
            const before = session.receivedBytes
            await session.until(({ receivedBytes }) => receivedBytes > before)
            const got = session.receivedBytes
            await sleep(1)
            expect(session.receivedBytes).toBe(got)
            chunks++
            session.socket.resume()
          }
          expect(chunks).toBeGreaterThan(1)
        })

        test('the peer ends first: we are told and go on sending', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          peer.end('last words')
          await session.until(({ events }) => events.includes('end'))
          expect(session.text).toBe('last words')
          expect(session.events).toEqual(['data', 'end'])
          const received = count(peer)
          for (let i = 0; i < 4; i++) await session.send(PIECE)
          session.socket.end()
          expect(await received).toBe(4 * MIB)
          await session.until((recorded) => recorded.closed)
          expect(session.events).toEqual(['data', 'end', 'close'])
          expect(session.closeError).toBeUndefined()
        })

        test('we end first: the peer is told and goes on sending', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          const received = count(peer)
          await session.send(PIECE)
          session.socket.end()
          expect(await received).toBe(MIB)
          expect(session.socket.write(PIECE)).toBe(-1)
          peer.end(PIECE)
          await session.until((recorded) => recorded.closed)
          expect(session.receivedBytes).toBe(MIB)
          expect(session.events).toEqual(['data', 'end', 'close'])
          expect(session.closeError).toBeUndefined()
        })

        test('end comes after all that write took, however slowly the peer reads', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          peer.pause()
          let sent = 0
          for (let taken = 1; taken > 0; sent += taken) taken = session.socket.write(PIECE.subarray(sent % 7))
          const received = slowly(peer)
          for (let i = 0; i < 4; i++) await session.send(PIECE)
          session.socket.end()
          expect(await received).toBe(sent + 4 * MIB)
        })

        test('a peer that resets is a close with ECONNRESET, told once', async () => {
          const { raw, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          raw.resetAndDestroy()
          await session.until((recorded) => recorded.closed)
          expect(session.closeError).toMatchObject({ code: 'ECONNRESET' })
          await sleep(20)
          expect(session.count('close')).toBe(1)
          expect(session.socket.write(Buffer.from('x'))).toBe(-1)
        })

        test('a reset is told even while paused', async () => {
          const { peer, raw, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          session.socket.pause()
          peer.write('unread')
          await sleep(20)
          raw.resetAndDestroy()
          await sleep(20)
          session.socket.resume()
          await session.until((recorded) => recorded.closed)
          expect(session.count('close')).toBe(1)
        })

        test('a connection cut without goodbye is an end, then a close of our own', async () => {
          const { raw, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          raw.destroy()
          await session.until(({ events }) => events.length > 0)
          session.socket.end()
          await session.until((recorded) => recorded.closed)
          expect(session.count('close')).toBe(1)
        })

        test('destroy is told once, after it returned', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          session.socket.destroy()
          session.socket.destroy()
          expect(session.closed).toBe(false)
          expect(session.socket.write(PIECE)).toBe(-1)
          await session.until((recorded) => recorded.closed)
          peer.resume()
          await sleep(20)
          expect(session.events).toEqual(['close'])
          expect(session.closeError).toBeUndefined()
        })

        test('destroy does not wait for a peer that does not read', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          peer.pause()
          while (session.socket.write(PIECE) === PIECE.length);
          session.socket.destroy()
          await session.until((recorded) => recorded.closed)
        })

        test('what was written before destroy still arrives', async () => {
          const { peer, accepted } = await pair()
          accepted.write(Buffer.from('the reason'))
          accepted.destroy()
          expect(String((await once(peer, 'data'))[0])).toBe('the reason')
        })

        test('all that writes took before destroy still arrives, however slowly the peer reads', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted)
          const received = slowly(peer)
          for (let i = 0; i < 16; i++) await session.send(PIECE)
          session.socket.destroy()
          expect(await received).toBe(16 * MIB)
          await session.until((recorded) => recorded.closed)
          expect(session.closeError).toBeUndefined()
        })

        test('a handler that throws closes its own connection only', async () => {
          const { peer, accepted } = await pair()
          const session = new RecordedSocket(accepted, () => {
            throw new RangeError('broken handler')
          })
          peer.write('x')
          await session.until((recorded) => recorded.closed)
          expect(session.closeError).toBeInstanceOf(RangeError)
        })

        describe('as a stream of Node', () => {
          test('64 MiB are echoed whole past a slow reader, with bounded buffers', async () => {
            const { peer, accepted } = await pair()
            const duplex = toDuplex(accepted)
            let buffered = 0
            const echo = (async () => {
              for await (const chunk of duplex) {
                buffered = Math.max(buffered, duplex.readableLength)
                if (!duplex.write(chunk)) await once(duplex, 'drain')
              }
              duplex.end()
            })()
            const sent = createHash('sha256')
            const returned = createHash('sha256')
            const reading = pipeline(
              peer,
              new Writable({
                write(chunk: Buffer, _encoding, done) {
                  returned.update(chunk)
                  setImmediate(done)
                },
              }),
            )
            for (let i = 0; i < PIECES; i++) {
              sent.update(PIECE)
              if (!peer.write(PIECE)) await once(peer, 'drain')
            }
            peer.end()
            await Promise.all([echo, reading])
            expect(returned.digest('hex')).toBe(sent.digest('hex'))
            expect(buffered).toBeLessThan(4 * MIB)
          })

          test('what was written after the end of the peer arrives whole past a slow reader', async () => {
            const { peer, accepted } = await pair()
            const duplex = toDuplex(accepted)
            const gone = once(duplex, 'close')
            peer.end()
            duplex.resume()
            duplex.end(Buffer.concat(Array.from({ length: 16 }, () => PIECE)))
            const received = slowly(peer)
            await gone
            expect(await received).toBe(16 * MIB)
          })

          test('the end of the peer ends both sides and closes', async () => {
            const { peer, accepted } = await pair()
            const duplex = toDuplex(accepted)
            const gone = once(duplex, 'close')
            duplex.resume()
            peer.resume()
            peer.end()
            await Promise.all([gone, once(peer, 'end')])
            expect(duplex.errored).toBeNull()
          })

          test('a reset is an error with its code', async () => {
            const { raw, accepted } = await pair()
            const duplex = toDuplex(accepted)
            duplex.resume()
            const failed = once(duplex, 'error')
            raw.resetAndDestroy()
            expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
          })

          test('a write that can no longer be sent fails', async () => {
            const { accepted } = await pair()
            const duplex = toDuplex(accepted)
            duplex.on('error', () => {})
            accepted.end()
            const error = await new Promise((resolve) => duplex.write('x', resolve))
            expect(error).toMatchObject({ code: 'EPIPE' })
          })

          test('destroy closes the socket', async () => {
            const { peer, accepted } = await pair()
            toDuplex(accepted).destroy()
            peer.resume()
            await once(peer, 'end')
          })
        })
      })
    }
  })
}

/** Reads to the end, a little at a time, and counts. */
async function slowly(stream: Duplex): Promise<number> {
  let bytes = 0
  for await (const chunk of stream) {
    bytes += (chunk as Buffer).length
    await sleep(1)
  }
  return bytes
}

/** Reads to the end and counts. */
async function count(stream: Duplex, onChunk?: (chunk: Buffer) => void): Promise<number> {
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    onChunk?.(chunk)
  })
  await once(stream, 'end')
  return bytes
}
