import fc from 'fast-check'
import { parse } from 'pg-protocol'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import {
  readAuthenticationRequest,
  writeAuthenticationCleartextPassword,
  writeAuthenticationOk,
  writeAuthenticationSasl,
  writeAuthenticationSaslContinue,
  writeAuthenticationSaslFinal,
} from './authentication-request.ts'
import {
  readBackendKeyData,
  readCommandComplete,
  readDataRow,
  readNegotiateProtocolVersion,
  readParameterStatus,
  readReadyForQuery,
  writeBackendKeyData,
  writeNegotiateProtocolVersion,
  writeParameterStatus,
  writeReadyForQuery,
} from './backend-messages.ts'
import { readErrorFields, writeErrorResponse, writeNoticeResponse } from './error-response.ts'
import { cstring, int32 } from './message-fields.ts'

/** What pg-protocol makes of our bytes. */
async function parsed(bytes: Uint8Array): Promise<unknown> {
  const stream = new PassThrough()
  const messages: unknown[] = []
  const done = parse(stream, (message) => messages.push(message))
  stream.end(bytes)
  await done
  return messages.length === 1 ? messages[0] : messages
}

const body = (message: Uint8Array): Uint8Array => message.subarray(5)

describe('server messages are understood by pg-protocol', () => {
  test('authentication requests', async () => {
    expect(await parsed(writeAuthenticationOk())).toMatchObject({ name: 'authenticationOk' })
    expect(await parsed(writeAuthenticationCleartextPassword())).toMatchObject({
      name: 'authenticationCleartextPassword',
    })
    expect(await parsed(writeAuthenticationSasl(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']))).toMatchObject({
      name: 'authenticationSASL',
      mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'],
    })
    expect(await parsed(writeAuthenticationSaslContinue(Buffer.from('r=x')))).toMatchObject({
      name: 'authenticationSASLContinue',
      data: 'r=x',
    })
    expect(await parsed(writeAuthenticationSaslFinal(Buffer.from('v=x')))).toMatchObject({
      name: 'authenticationSASLFinal',
      data: 'v=x',
    })
  })

  test('ParameterStatus, BackendKeyData and ReadyForQuery', async () => {
    expect(await parsed(writeParameterStatus('server_version', '18.4'))).toMatchObject({
      parameterName: 'server_version',
      parameterValue: '18.4',
    })
    expect(await parsed(writeBackendKeyData({ pid: 99, key: Uint8Array.of(0, 0, 1, 0) }))).toMatchObject({
      processID: 99,
      secretKey: 256,
    })
    expect(await parsed(writeReadyForQuery('T'))).toMatchObject({ name: 'readyForQuery', status: 'T' })
  })

  test('ErrorResponse and NoticeResponse', async () => {
    const fields = { severity: 'FATAL', sqlstate: '28P01', message: 'authentication failed', detail: 'd', hint: 'h' }
    const { sqlstate: code, ...rest } = fields
    expect(await parsed(writeErrorResponse(fields))).toMatchObject({ name: 'error', code, ...rest })
    expect(await parsed(writeNoticeResponse(fields))).toMatchObject({ name: 'notice', code, ...rest })
  })
})

describe('server messages are read back', () => {
  test('authentication requests', () => {
    expect(readAuthenticationRequest(body(writeAuthenticationOk()))).toEqual({ kind: 'ok' })
    expect(readAuthenticationRequest(body(writeAuthenticationCleartextPassword()))).toEqual({
      kind: 'cleartext-password',
    })
    expect(readAuthenticationRequest(body(writeAuthenticationSasl(['A', 'B'])))).toEqual({
      kind: 'sasl',
      mechanisms: ['A', 'B'],
    })
    expect(readAuthenticationRequest(body(writeAuthenticationSaslContinue(Uint8Array.of(1))))).toEqual({
      kind: 'sasl-continue',
      data: Uint8Array.of(1),
    })
    expect(readAuthenticationRequest(body(writeAuthenticationSaslFinal(Uint8Array.of(2))))).toEqual({
      kind: 'sasl-final',
      data: Uint8Array.of(2),
    })
    expect(readAuthenticationRequest(Buffer.concat([int32(5), Buffer.from('salt')]))).toEqual({
      kind: 'md5-password',
      salt: new Uint8Array(Buffer.from('salt')),
    })
    expect(readAuthenticationRequest(int32(7))).toEqual({ kind: 'other', method: 7 })
  })

  test.each([
    ['no method', new Uint8Array(3)],
    ['a short salt', Buffer.concat([int32(5), Buffer.from('abc')])],
    ['mechanisms without terminator', Buffer.concat([int32(10), cstring('SCRAM-SHA-256')])],
  ])('an authentication request with %s is malformed', (_name, bytes) => {
    expect(readAuthenticationRequest(bytes)).toBeUndefined()
  })

  test.each([4, 32, 256])('BackendKeyData with a key of %i bytes', (length) => {
    const data = { pid: -1, key: new Uint8Array(length).fill(9) }
    expect(readBackendKeyData(body(writeBackendKeyData(data)))).toEqual(data)
  })

  test.each([0, 3, 257])('BackendKeyData with a key of %i bytes is neither written nor read', (length) => {
    expect(() => writeBackendKeyData({ pid: 1, key: new Uint8Array(length) })).toThrow(RangeError)
    expect(readBackendKeyData(new Uint8Array(4 + length))).toBeUndefined()
  })

  test('ParameterStatus, ReadyForQuery and CommandComplete', () => {
    expect(readParameterStatus(body(writeParameterStatus('a', 'b')))).toEqual({ name: 'a', value: 'b' })
    expect(readParameterStatus(cstring('a'))).toBeUndefined()
    for (const status of ['I', 'T', 'E'] as const)
      expect(readReadyForQuery(body(writeReadyForQuery(status)))).toBe(status)
    expect(readReadyForQuery(Buffer.from('X'))).toBeUndefined()
    expect(readReadyForQuery(new Uint8Array())).toBeUndefined()
    expect(readCommandComplete(cstring('SELECT 1'))).toBe('SELECT 1')
  })

  test('NegotiateProtocolVersion', () => {
    const answer = { newestMinor: 2, unrecognized: ['_pq_.a', '_pq_.b'] }
    const bytes = writeNegotiateProtocolVersion(answer)
    expect(Buffer.from(bytes.subarray(0, 13)).toString('hex')).toBe('760000001a0003000200000002')
    expect(readNegotiateProtocolVersion(body(bytes))).toEqual(answer)
    expect(
      readNegotiateProtocolVersion(Buffer.concat([int32(0x30002), int32(0x7fffffff), cstring('a')])),
    ).toBeUndefined()
    expect(readNegotiateProtocolVersion(Buffer.concat([int32(0x30002), int32(-1)]))).toBeUndefined()
  })

  test('DataRow in text format, with NULL', () => {
    const row = Buffer.concat([Uint8Array.of(0, 3), int32(2), Buffer.from('ab'), int32(-1), int32(0)])
    expect(readDataRow(row)).toEqual(['ab', null, ''])
    expect(readDataRow(Buffer.concat([Uint8Array.of(0, 1), int32(3), Buffer.from('ab')]))).toBeUndefined()
    expect(readDataRow(Buffer.concat([Uint8Array.of(0, 1), int32(-2)]))).toBeUndefined()
    expect(readDataRow(Uint8Array.of(0xff, 0xff))).toBeUndefined()
  })

  test('error fields, of which only the terminator is required', () => {
    const fields = { severity: 'FATAL', sqlstate: '3D000', message: 'database "x" does not exist', hint: 'h' }
    expect(readErrorFields(body(writeErrorResponse(fields)))).toEqual(fields)
    expect(readErrorFields(Uint8Array.of(0))).toEqual({ severity: 'ERROR', sqlstate: 'XX000', message: '' })
    expect(readErrorFields(Buffer.from('SFATAL\0C28000\0'))).toBeUndefined()
    expect(readErrorFields(Buffer.from('SFATAL'))).toBeUndefined()
  })

  test('error fields prefer the untranslated severity and keep what is not UTF-8 readable', () => {
    const bytes = Buffer.from('SFATAL\xca\0VFATAL\0C28000\0Mgeh\xf6rt nicht\0\0', 'latin1')
    expect(readErrorFields(bytes)).toEqual({ severity: 'FATAL', sqlstate: '28000', message: 'geh\ufffdrt nicht' })
  })
})

test('an error text with NUL is sent without it', () => {
  const bytes = writeErrorResponse({ severity: 'FATAL', sqlstate: '08P01', message: 'a\0Mb' })
  expect(readErrorFields(body(bytes))).toMatchObject({ message: 'aMb' })
})

test('no reader throws on garbage', () => {
  const readers = [
    readAuthenticationRequest,
    readBackendKeyData,
    readCommandComplete,
    readDataRow,
    readErrorFields,
    readNegotiateProtocolVersion,
    readParameterStatus,
    readReadyForQuery,
  ]
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...readers), (bytes, read) => {
      expect(() => read(bytes)).not.toThrow()
    }),
  )
})
