import { expect, test } from 'vitest'
import { PasswordAttempts } from './password-attempts.ts'

const allowed = async () => ({ allowed: true as const })
const refused = async () => ({ allowed: false as const, isGuess: true })
const unreachable = async () => ({ allowed: false as const, isGuess: false })

test('wrong passwords from one address are tried so often and no more, and those from elsewhere still are', async () => {
  const attempts = new PasswordAttempts(0, { atOnce: 8, wrongPerMinute: 3 })
  for (let i = 0; i < 3; i++) expect(await attempts.run('192.0.2.1', refused)).toMatchObject({ allowed: false })
  let isAsked = false
  const asked = async () => {
    isAsked = true
    return { allowed: true as const }
  }
  expect(await attempts.run('192.0.2.1', asked)).toBeUndefined()
  expect(isAsked).toBe(false)
  expect(await attempts.run('192.0.2.2', allowed)).toEqual({ allowed: true })
})

test('right passwords never count, nor attempts at a database that is away, however many', async () => {
  const attempts = new PasswordAttempts(0, { atOnce: 8, wrongPerMinute: 3 })
  for (let i = 0; i < 20; i++) await attempts.run('192.0.2.1', unreachable)
  for (let i = 0; i < 20; i++) expect(await attempts.run('192.0.2.1', allowed)).toEqual({ allowed: true })
})

test('of one address only so many are tried at a time; the others wait, and all have their turn', async () => {
  const attempts = new PasswordAttempts(0, { atOnce: 2, wrongPerMinute: 100 })
  let running = 0
  let most = 0
  const finish: (() => void)[] = []
  const attempt = async () => {
    running += 1
    most = Math.max(most, running)
    await new Promise<void>((resolve) => finish.push(resolve))
    running -= 1
    return { allowed: true as const }
  }
  const all = Array.from({ length: 6 }, () => attempts.run('192.0.2.1', attempt))
  // Another address does not wait behind them.
  expect(await attempts.run('192.0.2.2', allowed)).toEqual({ allowed: true })
  for (let done = 0; done < 6; done++) {
    await expect.poll(() => finish.length).toBeGreaterThan(done)
    finish[done]?.()
  }
  await Promise.all(all)
  expect(most).toBe(2)
})

test('a place is given back when the attempt fails, too', async () => {
  const attempts = new PasswordAttempts(0, { atOnce: 1, wrongPerMinute: 100 })
  const failing = attempts.run('192.0.2.1', () => Promise.reject(new Error('the store is away')))
  await expect(failing).rejects.toThrow('the store is away')
  expect(await attempts.run('192.0.2.1', allowed)).toEqual({ allowed: true })
})
