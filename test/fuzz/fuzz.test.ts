import { describe, expect, test } from 'vitest'
import { runParsers } from './run-parsers.ts'
import { runSockets } from './run-sockets.ts'

/** A short run with a seed of its own, the same each time; `npm run fuzz` is the long one. */
describe('fuzzing what is read before a login', () => {
  test('100,000 inputs break no promise of a parser', async () => {
    const { total, inputs } = await runParsers({ seed: 20_251_123, count: 100_000, seconds: 50 })
    expect(total).toBeGreaterThan(10_000)
    expect(Math.min(...Object.values(inputs))).toBeGreaterThan(1000)
  })

  test('400 sockets get no login, crash nothing and leave nothing', async () => {
    const { sockets, handshakes, answers } = await runSockets({
      seed: 20_251_123,
      count: 400,
      seconds: 30,
      transport: 'bun',
    })
    expect(sockets).toBeGreaterThan(100)
    expect(handshakes).toBeGreaterThan(sockets / 4)
    expect(answers).toBeGreaterThan(sockets / 4)
  })
})
