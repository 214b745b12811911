import { expect, it } from 'vitest'
import { SignInThrottle } from './sign-in-throttle.ts'

function throttleWithWaits() {
  const waits: number[] = []
  return { waits, throttle: new SignInThrottle(async (delayMs) => void waits.push(delayMs)) }
}

it('refuses an address after ten failures in a minute, and says when to come back', async () => {
  const { throttle } = throttleWithWaits()
  for (let attempt = 0; attempt < 10; attempt++) await throttle.begin('192.0.2.1', `user${attempt}@main.test`)
  await expect(throttle.begin('192.0.2.1', 'user@main.test')).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    detail: { retryAfterSeconds: expect.any(Number) },
  })
})

it('cannot be used to lock another person out: a guessed name is delayed from new addresses, never refused', async () => {
  const { throttle, waits } = throttleWithWaits()
  for (let attempt = 0; attempt < 200; attempt++) await throttle.begin(`192.0.2.${attempt}`, 'victim@main.test')
  await throttle.begin('198.51.100.1', 'VICTIM@main.test')
  expect(Math.max(...waits)).toBe(2_000)
  expect(waits.slice(0, 4)).toEqual([250, 500, 1000, 2000])
})

it('does not count what turned out well', async () => {
  const { throttle, waits } = throttleWithWaits()
  for (let attempt = 0; attempt < 50; attempt++) {
    await throttle.begin('192.0.2.1', 'ada@main.test')
    await throttle.succeeded('192.0.2.1', 'ada@main.test')
  }
  expect(waits).toEqual([])
})
