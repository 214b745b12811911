import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import { describe, expect, test } from 'vitest'
import { MAX_STARTUP_PACKET_LENGTH } from './codes.ts'
import { writeCancelRequest, writeSslRequest, writeStartupMessage } from './frontend-messages.ts'
import { cstring, int32, message } from './message-fields.ts'
import { parseFirstPacket, readPacketLength } from './startup-packet.ts'

const V3 = int32(0x30000)
const startup = (...fields: Uint8Array[]): Uint8Array => message(undefined, V3, ...fields)
const strings = (...texts: string[]): Uint8Array => Buffer.concat(texts.map(cstring))
const NUL = Uint8Array.of(0)

describe('the length of the first packet', () => {
  test('is unknown until four bytes are there', () => {
    for (const size of [0, 1, 2, 3]) expect(readPacketLength(writeSslRequest().subarray(0, size))).toBeUndefined()
    expect(readPacketLength(writeSslRequest().subarray(0, 4))).toBe(8)
  })

  test.each([-1, 0, 1, 7, MAX_STARTUP_PACKET_LENGTH + 1, 0x7fffffff, -0x80000000])('%i is refused', (length) => {
    expect(readPacketLength(int32(length))).toBe('malformed')
  })

  test.each([8, MAX_STARTUP_PACKET_LENGTH])('%i is accepted', (length) => {
    expect(readPacketLength(int32(length))).toBe(length)
  })
})

describe('requests', () => {
  test('SSLRequest, GSSENCRequest and CancelRequest are told apart by their codes', () => {
    expect(parseFirstPacket(serialize.requestSsl())).toEqual({ kind: 'ssl-request' })
    expect(parseFirstPacket(message(undefined, int32(80877104)))).toEqual({ kind: 'gss-request' })
    expect(parseFirstPacket(serialize.cancel(4711, 0x01020304))).toEqual({
      kind: 'cancel',
      pid: 4711,
      key: Uint8Array.of(1, 2, 3, 4),
    })
  })

  test('SSLRequest and GSSENCRequest carry nothing else', () => {
    for (const code of [80877103, 80877104]) {
      const glued = message(undefined, int32(code), Uint8Array.of(1))
      expect(parseFirstPacket(glued)).toEqual({ kind: 'malformed', reason: 'request-length' })
    }
  })

  test.each([4, 32, 256])('a cancel key of %i bytes is read', (length) => {
    const key = new Uint8Array(length).fill(7)
    expect(parseFirstPacket(writeCancelRequest(-2, key))).toEqual({ kind: 'cancel', pid: -2, key })
  })

  test.each([0, 3, 257])('a cancel key of %i bytes is malformed', (length) => {
    const packet = writeCancelRequest(1, new Uint8Array(length))
    expect(parseFirstPacket(packet)).toEqual({ kind: 'malformed', reason: 'cancel-key-length' })
  })

  test('a cancel key is a copy, so the chunk may be reused', () => {
    // A Buffer, whose slice() is a view where that of Uint8Array is a copy.
    const packet = Buffer.from(writeCancelRequest(1, Uint8Array.of(1, 2, 3, 4)))
    const parsed = parseFirstPacket(packet)
    packet.fill(0)
    expect(parsed).toMatchObject({ key: Uint8Array.of(1, 2, 3, 4) })
  })
})

describe('StartupMessage', () => {
  test('is read as pg-protocol writes it', () => {
    const parsed = parseFirstPacket(serialize.startup({ user: 'ana', database: 'sales', application_name: 'x' }))
    expect(parsed).toMatchObject({ kind: 'startup', major: 3, minor: 0, user: 'ana', database: 'sales' })
    expect(parsed.kind === 'startup' && [...parsed.parameters]).toEqual([
      ['user', 'ana'],
      ['database', 'sales'],
      ['application_name', 'x'],
      ['client_encoding', 'UTF8'],
    ])
  })

  test('names the user as the database when there is none, or an empty one', () => {
    expect(parseFirstPacket(startup(strings('user', 'ana', '')))).toMatchObject({ database: 'ana' })
    expect(parseFirstPacket(startup(strings('user', 'ana', 'database', '', '')))).toMatchObject({ database: 'ana' })
  })

  test('counts the last of duplicate parameters, for user too, so that what is checked is what the database would use', () => {
    const parsed = parseFirstPacket(startup(strings('user', 'ana', 'a', '1', 'b', '2', 'user', 'eve', 'a', '3', '')))
    expect(parsed).toMatchObject({ user: 'eve', database: 'eve' })
    expect(parsed.kind === 'startup' && [...parsed.parameters]).toEqual([
      ['b', '2'],
      ['user', 'eve'],
      ['a', '3'],
    ])
  })

  test('keeps protocol options apart from settings and lists each once', () => {
    const parsed = parseFirstPacket(startup(strings('_pq_.x', '1', 'user', 'ana', '_pq_.y', '', '_pq_.x', '2', '')))
    expect(parsed).toMatchObject({ protocolOptions: ['_pq_.x', '_pq_.y'] })
    expect(parsed.kind === 'startup' && [...parsed.parameters.keys()]).toEqual(['user'])
  })

  test('keeps the minor version asked for, such as the 3.9999 that newer clients probe with', () => {
    const packet = message(undefined, int32((3 << 16) | 9999), strings('user', 'ana', ''))
    expect(parseFirstPacket(packet)).toMatchObject({ kind: 'startup', major: 3, minor: 9999 })
  })

  test.each([0, 1, 2, 4, 1234, 65535])('of major version %i is not read at all', (major) => {
    const packet = message(undefined, int32((major << 16) | 5), Uint8Array.of(0xff, 0xff))
    expect(parseFirstPacket(packet)).toEqual({ kind: 'unsupported-version', major, minor: 5 })
  })

  test.each([
    ['no terminator', strings('user', 'ana')],
    ['no parameters and no terminator', new Uint8Array()],
    ['a value that is not ended', Buffer.concat([strings('user'), Buffer.from('ana')])],
    ['a name without value', strings('user', 'ana', 'database')],
    ['a byte behind the terminator', Buffer.concat([strings('user', 'ana', ''), Buffer.from('x')])],
    ['a parameter behind the terminator', strings('user', 'ana', '', 'user', 'eve', '')],
    ['a second terminator', Buffer.concat([strings('user', 'ana', ''), NUL])],
  ])('with %s is malformed', (_name, body) => {
    expect(parseFirstPacket(startup(body))).toEqual({ kind: 'malformed', reason: 'terminator' })
  })

  test('without a user, or with an empty one, is malformed', () => {
    for (const body of [NUL, strings('database', 'x', ''), strings('user', '', '')]) {
      expect(parseFirstPacket(startup(body))).toEqual({ kind: 'malformed', reason: 'user-missing' })
    }
  })

  test('that is not UTF-8 is malformed, so no two user names read alike', () => {
    const body = Buffer.concat([strings('user'), Buffer.from([0xe9]), NUL, NUL])
    expect(parseFirstPacket(startup(body))).toEqual({ kind: 'malformed', reason: 'encoding' })
  })

  test('keeps a leading byte order mark as part of the name', () => {
    expect(parseFirstPacket(startup(strings('user', '\ufeffana', '')))).toMatchObject({ user: '\ufeffana' })
  })

  const text = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', '').replaceAll(/\p{Cs}/gu, ''))
  const name = text.filter((value) => value !== '' && !value.startsWith('_pq_.') && value !== 'user')

  test('reads back whatever parameters were written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, text), { selector: ([key]) => key }), (pairs) => {
        const parameters: [string, string][] = [['user', 'ana'], ...pairs]
        const parsed = parseFirstPacket(writeStartupMessage(parameters, 2))
        expect(parsed).toMatchObject({ kind: 'startup', minor: 2, user: 'ana' })
        expect(parsed.kind === 'startup' && [...parsed.parameters]).toEqual(parameters)
      }),
    )
  })

  test('cut anywhere is malformed, never misread', () => {
    const packet = writeStartupMessage([['user', 'ana'], ['database', 'sales']]) // prettier-ignore
    for (let size = 8; size < packet.length; size++) {
      const cut = packet.slice(0, size)
      expect(parseFirstPacket(cut)).toEqual({ kind: 'malformed', reason: 'packet-length' })
      new DataView(cut.buffer).setInt32(0, size)
      expect(parseFirstPacket(cut)).toMatchObject({ kind: 'malformed' })
    }
  })

  test('of garbage never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (body, version3) => {
        const packet = version3 ? startup(body) : message(undefined, body)
        expect(() => parseFirstPacket(packet)).not.toThrow()
      }),
    )
  })
})

test('a parameter with NUL cannot be written: it would smuggle in others', () => {
  expect(() => writeStartupMessage([['user', 'ana\0options\0-c x=y']])).toThrow(RangeError)
  expect(() => writeStartupMessage([['user', 'ana'], ['', 'x']])).toThrow(RangeError) // prettier-ignore
})
