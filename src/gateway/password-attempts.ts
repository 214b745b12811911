import { setTimeout as sleep } from 'node:timers/promises'
import { addressKey } from '../identity/address-key.ts'
import { AttemptLimit } from '../identity/attempt-limit.ts'

/** How long a slow refusal makes the others slow. */
const REMEMBERED_MS = 10 * 60_000
/** A database that hangs must not make every refusal as slow. */
const SLOWEST_MAX_MS = 2_000

/** What a password came to. Only what may have been a guess counts: a database that is away says nothing of the password. */
type Attempt = { readonly allowed: true } | { readonly allowed: false; readonly isGuess: boolean }

interface Queue {
  running: number
  readonly waiting: (() => void)[]
}

/**
 * Passwords that are tried at databases: anybody may send one, and each costs the database a socket and a proof. Of one address
 * (one network, in IPv6) only so many are tried at a time, the others wait; and so many wrong ones in a minute. A right one
 * does not count, and nothing is counted by Postgres role: nobody can lock another out.
 *
 * It also knows how long a refusal takes. All of them must take the same time, those that never reach a database included.
 */
export class PasswordAttempts {
  readonly #atOnce: number
  readonly #wrong: AttemptLimit
  readonly #queues = new Map<string, Queue>()
  readonly #floorMs: number
  /** Longest refusal by a database of late. */
  #slowestMs = 0
  #slowestAt = 0

  /** @param floorMs no refusal is answered sooner than this after the password came */
  constructor(floorMs: number, limits = { atOnce: 32, wrongPerMinute: 120 }) {
    this.#floorMs = floorMs
    this.#atOnce = limits.atOnce
    this.#wrong = new AttemptLimit({ attempts: limits.wrongPerMinute, windowSeconds: 60, publicMessage: '' })
  }

  /** @returns undefined when this address sent too many wrong ones: the database was not asked */
  async run<T extends Attempt>(peer: string, attempt: () => Promise<T>): Promise<T | undefined> {
    const address = addressKey(peer)
    const leave = await this.#enter(address)
    try {
      try {
        await this.#wrong.take(address)
      } catch {
        return undefined
      }
      const startedAt = performance.now()
      let isGuess = false
      try {
        const result = await attempt()
        isGuess = !result.allowed && result.isGuess
        if (!result.allowed) this.#noteRefusal(startedAt)
        return result
      } finally {
        if (!isGuess) await this.#wrong.giveBack(address)
      }
    } finally {
      leave()
    }
  }

  /**
   * Call when the password came: the returned function waits until a refusal may be answered. Where databases lately took longer
   * to refuse than the floor, the time is rounded up to a whole number of floors.
   */
  refusalTime(): () => Promise<void> {
    const startedAt = performance.now()
    return async () => {
      const elapsedMs = performance.now() - startedAt
      const steps = Math.ceil(Math.max(elapsedMs, this.#recentSlowestMs()) / Math.max(1, this.#floorMs))
      await sleep(Math.max(1, steps) * this.#floorMs - elapsedMs)
    }
  }

  #noteRefusal(startedAt: number): void {
    const elapsedMs = Math.min(performance.now() - startedAt, SLOWEST_MAX_MS)
    if (elapsedMs < this.#recentSlowestMs()) return
    this.#slowestMs = elapsedMs
    this.#slowestAt = performance.now()
  }

  #recentSlowestMs(): number {
    return performance.now() - this.#slowestAt < REMEMBERED_MS ? this.#slowestMs : 0
  }

  async #enter(address: string): Promise<() => void> {
    const queue = this.#queues.get(address) ?? { running: 0, waiting: [] }
    this.#queues.set(address, queue)
    if (queue.running >= this.#atOnce) await new Promise<void>((resolve) => queue.waiting.push(resolve))
    else queue.running += 1
    return () => {
      const next = queue.waiting.shift()
      // The place is handed on, so that nobody who comes meanwhile takes it.
      if (next !== undefined) return next()
      queue.running -= 1
      if (queue.running === 0) this.#queues.delete(address)
    }
  }
}
