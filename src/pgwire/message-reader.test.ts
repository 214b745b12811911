import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { int32, message } from './message-fields.ts'
import { MessageReader, type WireMessage } from './message-reader.ts'

const reader = (maxLength = 1000, maxUnreadBytes = 100_000): MessageReader =>
  new MessageReader({ maxLength: () => maxLength, maxUnreadBytes })

function take(from: MessageReader): WireMessage[] {
  const messages: WireMessage[] = []
  for (let read = from.next(); read.kind === 'message'; read = from.next()) messages.push(read.message)
  return messages
}

const ANY_MESSAGE = fc
  .tuple(fc.constantFrom('R', 'S', 'Z', 'p'), fc.uint8Array({ maxLength: 20 }))
  .map(([type, body]) => ({ type, body, bytes: message(type, body) }))

describe('a message reader', () => {
  test('gives the same messages wherever the stream is cut', () => {
    const stream = Buffer.concat([
      message('R', int32(0)),
      message('S', Buffer.from('a\0b\0')),
      message('Z', Buffer.from('I')),
    ])
    for (let cut = 0; cut <= stream.length; cut++) {
      const split = reader()
      split.push(stream.subarray(0, cut))
      const messages = take(split)
      split.push(stream.subarray(cut))
      messages.push(...take(split))
      expect(messages.map(({ type }) => type).join('')).toBe('RSZ')
      expect(Buffer.concat(messages.map(({ bytes }) => bytes))).toEqual(stream)
    }
  })

  test('reads back any messages in any chunks', () => {
    fc.assert(
      fc.property(fc.array(ANY_MESSAGE), fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (expected, sizes) => {
        const stream = Buffer.concat(expected.map(({ bytes }) => bytes))
        const chunked = reader()
        const messages: WireMessage[] = []
        for (let at = 0; at < stream.length;) {
          const size = sizes.next().value as number
          chunked.push(stream.subarray(at, at + size))
          messages.push(...take(chunked))
          at += size
        }
        expect(messages.map(({ type, body }) => ({ type, body: Buffer.from(body) }))).toEqual(
          expected.map(({ type, body }) => ({ type, body: Buffer.from(body) })),
        )
        expect(chunked.next()).toEqual({ kind: 'incomplete' })
      }),
    )
  })

  test('hands over what it did not read, and only that', () => {
    const stream = Buffer.concat([message('Z', Buffer.from('I')), Buffer.from('rest of the stream')])
    const handing = reader()
    handing.push(stream)
    expect(handing.next()).toMatchObject({ kind: 'message', message: { type: 'Z' } })
    expect(Buffer.from(handing.remaining()).toString()).toBe('rest of the stream')
    expect(handing.remaining()).toHaveLength(0)
  })

  test('keeps messages intact when the chunk they came in is reused', () => {
    const chunk = Buffer.from(message('p', Buffer.from('secret')))
    const copying = reader()
    copying.push(chunk)
    chunk.fill(0)
    const first = copying.next()
    copying.push(new Uint8Array(500))
    expect(first.kind === 'message' && Buffer.from(first.message.body).toString()).toBe('secret')
  })

  test.each([0, 3, -1, -0x80000000])('refuses the length %i', (length) => {
    const refusing = reader()
    refusing.push(Buffer.concat([Buffer.from('p'), int32(length)]))
    expect(refusing.next()).toEqual({ kind: 'malformed', reason: 'length' })
  })

  test('refuses a length over the limit of its type from the header alone', () => {
    const limited = new MessageReader({ maxLength: (type) => (type === 'p' ? 65_535 : 4), maxUnreadBytes: 100_000 })
    limited.push(Buffer.concat([Buffer.from('p'), int32(65_535)]))
    expect(limited.next()).toEqual({ kind: 'incomplete' })
    const over = reader(65_535)
    over.push(Buffer.concat([Buffer.from('p'), int32(65_536)]))
    expect(over.next()).toEqual({ kind: 'malformed', reason: 'too-long' })
    const other = new MessageReader({ maxLength: (type) => (type === 'p' ? 65_535 : 4), maxUnreadBytes: 100_000 })
    other.push(Buffer.concat([Buffer.from('Q'), int32(5)]))
    expect(other.next()).toEqual({ kind: 'malformed', reason: 'too-long' })
  })

  test('stays malformed, whatever comes after', () => {
    const refusing = reader(10)
    refusing.push(Buffer.concat([Buffer.from('p'), int32(11)]))
    refusing.next()
    refusing.push(message('Z', Buffer.from('I')))
    expect(refusing.next()).toEqual({ kind: 'malformed', reason: 'too-long' })
    expect(refusing.remaining()).toHaveLength(0)
  })

  test('keeps no more unread bytes than it may', () => {
    const bounded = reader(1000, 100)
    bounded.push(new Uint8Array(100))
    bounded.push(new Uint8Array(1))
    expect(bounded.next()).toEqual({ kind: 'malformed', reason: 'too-much-unread' })
  })
})
