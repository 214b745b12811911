import { expect, it } from 'vitest'
import { MasterKey } from '../crypto/master-key.ts'
import { openStatement, sealStatement } from './statement-seal.ts'

const key = MasterKey.generate()

it('a statement opens for its own row and principal alone', () => {
  const sealed = sealStatement(key, 'row', '1', `alter role r password 'x'`)
  expect(openStatement(key, 'row', '1', sealed)).toBe(`alter role r password 'x'`)
  expect(sealed.includes('password')).toBe(false)
  for (const [id, principal] of [
    ['row', '2'],
    ['other', '1'],
  ] as const) {
    expect(() => openStatement(key, id, principal, sealed)).toThrow(
      expect.objectContaining({ code: 'SECRET_UNREADABLE' }),
    )
  }
})

it('a digest tells same from other, and another key gives another', () => {
  expect(key.digest('p', 'a')).toEqual(key.digest('p', 'a'))
  expect(key.digest('p', 'a')).not.toEqual(key.digest('q', 'a'))
  expect(key.digest('p', 'a')).not.toEqual(MasterKey.generate().digest('p', 'a'))
})
