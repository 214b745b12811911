import { describe, expect, test } from 'vitest'
import { Secret } from '../base/secret.ts'
import { hashPassword, verifyPassword } from './password-hash.ts'

const password = new Secret('correct horse battery staple')

describe('a password hash', () => {
  test('is argon2id at the cost that OWASP names, and verifies its password only', async () => {
    const hash = await hashPassword(password)
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await verifyPassword(hash, password)).toBe(true)
    expect(await verifyPassword(hash, new Secret('correct horse'))).toBe(false)
    expect(await hashPassword(password)).not.toBe(hash)
  })

  test('of nobody matches nothing, at the cost of a real one', async () => {
    const hash = await hashPassword(password)
    // Processor time, of all threads: the clock on the wall shows what else the machine does.
    const microseconds = async (stored: string | null) => {
      const before = process.cpuUsage()
      expect(await verifyPassword(stored, new Secret('wrong'))).toBe(false)
      const { user, system } = process.cpuUsage(before)
      return user + system
    }
    const samples = { somebody: [] as number[], nobody: [] as number[] }
    for (let round = 0; round < 7; round++) {
      samples.somebody.push(await microseconds(hash))
      samples.nobody.push(await microseconds(null))
    }
    const [somebody, nobody] = [Math.min(...samples.somebody), Math.min(...samples.nobody)]
    // A comparison that skipped the work would take a hundredth.
    expect(nobody).toBeGreaterThan(somebody / 4)
    expect(nobody).toBeLessThan(somebody * 4)
  })

  test('is refused at once when too many wait, and the others all finish', async () => {
    const hash = await hashPassword(password)
    const outcomes = await Promise.allSettled(Array.from({ length: 70 }, () => verifyPassword(hash, password)))
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused).toHaveLength(4) // two run, 64 wait
    expect(refused[0]!.reason).toMatchObject({ code: 'RATE_LIMITED' })
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value)).toHaveLength(66)
    expect(await verifyPassword(hash, password)).toBe(true)
  })
})
