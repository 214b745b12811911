import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameTracker } from './frame-tracker.ts'
import { int32, message } from './message-fields.ts'

const ready = (status: string): Uint8Array => message('Z', Buffer.from(status))
const row = message('D', new Uint8Array(30))

describe('a frame tracker', () => {
  test('is at a boundary exactly between messages, wherever chunks are cut', () => {
    const messages = [message('1'), row, message('N', Buffer.from('x')), ready('I')]
    const boundaries = new Set([0])
    for (const each of messages) boundaries.add(Math.max(...boundaries) + each.length)
    const stream = Buffer.concat(messages)
    for (let cut = 0; cut <= stream.length; cut++) {
      const tracker = new FrameTracker()
      tracker.serverSent(stream.subarray(0, cut))
      expect(tracker.atMessageBoundary).toBe(boundaries.has(cut))
      tracker.serverSent(stream.subarray(cut))
      expect(tracker.atMessageBoundary).toBe(true)
      expect(tracker.activity).toBe('idle')
    }
  })

  test.each([
    ['I', 'idle'],
    ['T', 'transaction'],
    ['E', 'failed'],
    ['?', 'active'],
  ])('reads ReadyForQuery %s as %s', (status, activity) => {
    const tracker = new FrameTracker()
    tracker.serverSent(ready(status))
    expect(tracker.activity).toBe(activity)
  })

  test('is active before the first ReadyForQuery, when the client sends and when the server answers', () => {
    const tracker = new FrameTracker()
    expect(tracker.activity).toBe('active')
    tracker.serverSent(ready('I'))
    tracker.clientSent()
    expect(tracker.activity).toBe('active')
    tracker.serverSent(ready('I'))
    tracker.serverSent(row.subarray(0, 1))
    expect(tracker.activity).toBe('active')
  })

  test.each(['N', 'A', 'S'])('stays idle when the server sends %s of its own accord', (type) => {
    const tracker = new FrameTracker()
    tracker.serverSent(ready('I'))
    tracker.serverSent(message(type, Buffer.from('unprompted')))
    expect(tracker.activity).toBe('idle')
  })

  test.each([0, 3, -1])('claims nothing more after the impossible length %i', (length) => {
    const tracker = new FrameTracker()
    tracker.serverSent(ready('I'))
    tracker.serverSent(Buffer.concat([Buffer.from('D'), int32(length), ready('I')]))
    tracker.serverSent(ready('I'))
    expect(tracker.atMessageBoundary).toBe(false)
    expect(tracker.activity).toBe('active')
  })

  test('walks a message of nearly 2 GiB without keeping it', () => {
    const tracker = new FrameTracker()
    const chunk = new Uint8Array(1 << 20)
    tracker.serverSent(Buffer.concat([Buffer.from('D'), int32(4 + 64 * chunk.length)]))
    for (let i = 0; i < 64; i++) {
      expect(tracker.atMessageBoundary).toBe(false)
      tracker.serverSent(chunk)
    }
    expect(tracker.atMessageBoundary).toBe(true)
    tracker.serverSent(Buffer.concat([Buffer.from('D'), int32(0x7fffffff)]))
    tracker.serverSent(chunk)
    expect(tracker.atMessageBoundary).toBe(false)
  })

  test('agrees with itself however the stream is chunked', () => {
    const any = fc.tuple(fc.constantFrom('D', 'Z', 'N', 'C'), fc.uint8Array({ maxLength: 12 }))
    fc.assert(
      fc.property(fc.array(any), fc.infiniteStream(fc.integer({ min: 1, max: 7 })), (messages, sizes) => {
        const stream = Buffer.concat(messages.map(([type, body]) => message(type, body)))
        const whole = new FrameTracker()
        whole.serverSent(stream)
        const chunked = new FrameTracker()
        for (let at = 0; at < stream.length;) {
          const size = sizes.next().value as number
          chunked.serverSent(stream.subarray(at, at + size))
          at += size
        }
        expect(chunked.atMessageBoundary).toBe(true)
        expect(whole.atMessageBoundary).toBe(true)
        expect(chunked.activity).toBe(whole.activity)
      }),
    )
  })
})
