import { expect, test } from 'vitest'
import type { ByteSocketHandlers } from '../byte-socket.ts'
import { NativeSocket } from './native-socket.ts'

const large = 8 * 1024

/** A socket and the lengths of what its handler was given. */
function listening() {
  const lengths: number[] = []
  const socket = new NativeSocket('192.0.2.1', 1)
  const handlers: ByteSocketHandlers = {
    onData: (chunk) => lengths.push(chunk.length),
    onDrain() {},
    onEnd() {},
    onClose() {},
  }
  socket.setHandlers(handlers)
  return { socket, lengths }
}

test('a large chunk is whole while it is handled and gives its memory back right after', () => {
  const { socket, lengths } = listening()
  const chunk = new Uint8Array(large)
  socket.received(chunk)
  expect(lengths).toEqual([large])
  expect(chunk.length).toBe(0)
  expect(chunk.buffer.detached).toBe(true)
})

test('a chunk that waits for its reader keeps its memory until it was read', async () => {
  const { socket, lengths } = listening()
  const chunk = new Uint8Array(large)
  socket.pause()
  socket.received(chunk)
  expect(chunk.length).toBe(large)
  socket.resume()
  await Promise.resolve()
  expect(lengths).toEqual([large])
  expect(chunk.length).toBe(0)
})

test('memory that is not the chunk’s alone is left alone', () => {
  const { socket, lengths } = listening()
  const whole = new Uint8Array(2 * large)
  socket.received(whole.subarray(0, large))
  expect(lengths).toEqual([large])
  expect(whole.length).toBe(2 * large)
})
