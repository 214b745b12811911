import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import { describe, expect, test } from 'vitest'
import {
  readPasswordMessage,
  writeCancelRequest,
  writePasswordMessage,
  writeQuery,
  writeSaslInitialResponse,
  writeSaslResponse,
  writeSslRequest,
  writeStartupMessage,
  writeTerminate,
} from './frontend-messages.ts'

describe('client messages are the bytes that pg-protocol writes', () => {
  const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

  test.each([
    ['SSLRequest', writeSslRequest(), serialize.requestSsl()],
    ['CancelRequest', writeCancelRequest(7, Uint8Array.of(0, 0, 0, 9)), serialize.cancel(7, 9)],
    ['PasswordMessage', writePasswordMessage('pässword'), serialize.password('pässword')],
    ['SASLResponse', writeSaslResponse(Buffer.from('c=biws')), serialize.sendSCRAMClientFinalMessage('c=biws')],
    ['Query', writeQuery('select 1'), serialize.query('select 1')],
    ['Terminate', writeTerminate(), serialize.end()],
    [
      'SASLInitialResponse',
      writeSaslInitialResponse('SCRAM-SHA-256', Buffer.from('n,,n=,r=x')),
      serialize.sendSASLInitialResponseMessage('SCRAM-SHA-256', 'n,,n=,r=x'),
    ],
    [
      'StartupMessage',
      writeStartupMessage([['user', 'ana'], ['client_encoding', 'UTF8']]), // prettier-ignore
      serialize.startup({ user: 'ana' }),
    ],
  ])('%s', (_name, ours, theirs) => {
    expect(utf8(ours)).toBe(utf8(theirs))
  })

  test('SASLInitialResponse without a first message says so by the length -1', () => {
    expect(Buffer.from(writeSaslInitialResponse('X', undefined)).toString('latin1')).toBe(
      'p\0\0\0\x0aX\0\xff\xff\xff\xff',
    )
  })
})

describe('PasswordMessage', () => {
  test('is read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const password = text.replaceAll('\0', '')
        expect(readPasswordMessage(writePasswordMessage(password).subarray(5))).toBe(password)
      }),
    )
  })

  test.each([
    ['nothing', ''],
    ['no terminator', 'secret'],
    ['bytes behind the terminator', 'secret\0x'],
    ['a NUL within', 'sec\0ret\0'],
    ['a second terminator', 'secret\0\0'],
    ['text that is not UTF-8', '\xff\0'],
  ])('with %s is malformed', (_name, body) => {
    expect(readPasswordMessage(Buffer.from(body, 'latin1'))).toBeUndefined()
  })
})

test('text with NUL is not written: a query or password cannot carry a second one', () => {
  expect(() => writeQuery('select 1\0drop')).toThrow(RangeError)
  expect(() => writePasswordMessage('a\0b')).toThrow(RangeError)
})
