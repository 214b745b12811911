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
    const milliseconds = async (stored: string | null) => {
      const samples: number[] = []
      for (let round = 0; round < 7; round++) {
        const start = performance.now()
        expect(await verifyPassword(stored, new Secret('wrong'))).toBe(false)
        samples.push(performance.now() - start)
      }
      return Math.min(...samples)
    }
    const [somebody, nobody] = [await milliseconds(hash), await milliseconds(null)]
    // A comparison that skipped the work would take a hundredth; the width is for a busy machine.
    expect(nobody).toBeGreaterThan(somebody / 10)
    expect(nobody).toBeLessThan(somebody * 10)
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
