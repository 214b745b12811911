import { describe, expect, it } from 'vitest'
import { RefusedStrangers } from './refused-strangers.ts'

describe('RefusedStrangers', () => {
  it('writes so many, one that stands for the rest, and none after it; another address is counted apart', async () => {
    const strangers = new RefusedStrangers(3)
    const records: string[] = []
    for (let i = 0; i < 6; i++) records.push(await strangers.next('192.0.2.1'))
    expect(records).toEqual(['written', 'written', 'written', 'last', 'left-out', 'left-out'])
    expect(await strangers.next('::ffff:192.0.2.1')).toBe('left-out')
    expect(await strangers.next('192.0.2.2')).toBe('written')
  })
})
