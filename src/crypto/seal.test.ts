import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { MasterKey } from './master-key.ts'
import { open, seal, type SealContext } from './seal.ts'

const key = MasterKey.generate()
const context: SealContext = {
  table: 'data_source',
  row: 'a1',
  field: 'password_sealed',
  destination: 'postgres|db.test|5432',
}
const secret = new Secret('correct horse bättery 🔑 staple')

function failure(act: () => unknown): PosternError {
  try {
    act()
  } catch (thrown) {
    if (thrown instanceof PosternError) return thrown
    throw thrown
  }
  throw new Error('it opened')
}

describe('a sealed value', () => {
  test('opens at its place, for its destination, with its key', () => {
    expect(open(key, seal(key, secret, context), context).reveal()).toBe(secret.reveal())
    const again = MasterKey.parse(key.export().reveal())
    expect(open(again, seal(key, secret, context), context).reveal()).toBe(secret.reveal())
  })

  test('keeps every text as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(open(key, seal(key, new Secret(text), context), context).reveal()).toBe(text)
      }),
    )
    expect(failure(() => seal(key, new Secret('\ud800'), context)).code).toBe('INVALID_ARGUMENT')
  })

  test('fails to open when any single bit of it is flipped', () => {
    const sealed = seal(key, secret, context)
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(failure(() => open(key, flipped, context)).code, `bit ${bit}`).toBe('SECRET_UNREADABLE')
    }
  })

  test('fails to open when it is cut short or longer', () => {
    const sealed = seal(key, secret, context)
    for (let length = 0; length < sealed.length; length++) {
      expect(failure(() => open(key, sealed.subarray(0, length), context)).code).toBe('SECRET_UNREADABLE')
    }
    expect(failure(() => open(key, Buffer.concat([sealed, Buffer.of(0)]), context)).code).toBe('SECRET_UNREADABLE')
  })

  test.each<[string, SealContext]>([
    ['table', { ...context, table: 'certificate' }],
    ['row', { ...context, row: 'a2' }],
    ['field', { ...context, field: 'login_key_sealed' }],
    ['destination', { ...context, destination: 'postgres|evil.test|5432' }],
    ['missing destination', { table: context.table, row: context.row, field: context.field }],
    ['empty destination', { ...context, destination: '' }],
    ['shifted parts', { ...context, table: 'data_sourcea', row: '1' }],
    ['parts that imitate the separator', { ...context, table: 'data_source","a1', row: '' }],
  ])('fails to open for another %s', (_, other) => {
    const error = failure(() => open(key, seal(key, secret, context), other))
    expect(error).toMatchObject({ code: 'SECRET_UNREADABLE', detail: { reason: 'wrong-place' } })
  })

  test('tells no destination from an empty one', () => {
    const { destination: _, ...nowhere } = context
    expect(failure(() => open(key, seal(key, secret, nowhere), { ...nowhere, destination: '' })).code).toBe(
      'SECRET_UNREADABLE',
    )
  })

  test('says so when another master key sealed it', () => {
    const error = failure(() => open(MasterKey.generate(), seal(key, secret, context), context))
    expect(error).toMatchObject({ code: 'SECRET_UNREADABLE', detail: { reason: 'wrong-key' } })
    expect(error.message).toContain('another master key')
  })

  test('cannot be put together from two others', () => {
    const [one, two] = [seal(key, secret, context), seal(key, new Secret('another secret'), context)]
    // Layout in seal.ts: the wrapped data key ends at 69.
    const mixed = Buffer.concat([one.subarray(0, 69), two.subarray(69)])
    expect(failure(() => open(key, mixed, context)).code).toBe('SECRET_UNREADABLE')
  })

  test('never looks the same twice, and its failure never names the secret', () => {
    expect(seal(key, secret, context).equals(seal(key, secret, context))).toBe(false)
    const error = failure(() => open(MasterKey.generate(), seal(key, secret, context), context))
    expect(JSON.stringify({ ...error, message: error.message, stack: error.stack })).not.toContain('correct horse')
  })
})

describe('MasterKey.parse', () => {
  test.each([
    '',
    'x',
    Buffer.alloc(31).toString('base64'),
    Buffer.alloc(33).toString('base64'),
    `${'A'.repeat(42)}!=`,
    'a'.repeat(64),
  ])('refuses %j without quoting it', (text) => {
    const error = failure(() => MasterKey.parse(text))
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.message).toBe('The master key must be the base64 form of exactly 32 bytes')
  })

  test('takes what a file with a newline holds', () => {
    const text = key.export().reveal()
    expect(MasterKey.parse(`${text}\n`).id.equals(key.id)).toBe(true)
    expect(MasterKey.generate().id.equals(key.id)).toBe(false)
  })
})
