import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toDuplex } from '../../src/transport/duplex.ts'
import { NodeSocket } from '../../src/transport/node/node-socket.ts'

const PIECE = Buffer.alloc(256 * 1024, 'x')

/** What only shows with a view of the stream below: that it still holds what `write` took whole, because the kernel is full. */
describe('a socket over a stream of Node that still holds bytes', () => {
  let server: Server
  let peer: Socket
  let stream: Socket
  let socket: NodeSocket

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    peer = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, allowHalfOpen: true }).pause()
    stream = (await once(server, 'connection'))[0] as Socket
    socket = new NodeSocket(stream)
  })
  afterEach(() => {
    peer.destroy()
    stream.destroy()
    server.close()
  })

  /** Writes until the kernel takes no more, and nobody was told. */
  function fillUnnoticed(): number {
    let sent = 0
    while (stream.writableLength === 0) {
      expect(socket.write(PIECE)).toBe(PIECE.length)
      sent += PIECE.length
    }
    return sent
  }

  async function receivedByPeer(): Promise<number> {
    let bytes = 0
    peer.on('data', (chunk: Buffer) => (bytes += chunk.length))
    await once(peer.resume(), 'end')
    return bytes
  }

  test('sends them though it is destroyed, and closes then', async () => {
    let closes = 0
    socket.setHandlers({ onData() {}, onDrain() {}, onEnd() {}, onClose: () => closes++ })
    const sent = fillUnnoticed()
    socket.destroy()
    await turn()
    expect(closes).toBe(0)
    const gone = once(stream, 'close')
    expect(await receivedByPeer()).toBe(sent)
    await gone
    expect(closes).toBe(1)
  })

  test('does not wait for the peer when its user knows that not everything was taken', async () => {
    const closed = new Promise((resolve) =>
      socket.setHandlers({ onData() {}, onDrain() {}, onEnd() {}, onClose: resolve }),
    )
    fillUnnoticed()
    expect(socket.write(PIECE)).toBe(0)
    socket.destroy()
    expect(await closed).toBeUndefined()
  })

  test('sends them when the duplex above it ends, which destroys it at once', async () => {
    const duplex = toDuplex(socket)
    const gone = once(duplex, 'close')
    peer.end()
    duplex.resume()
    const sent = fillUnnoticed()
    duplex.end()
    await gone
    expect(await receivedByPeer()).toBe(sent)
  })
})
