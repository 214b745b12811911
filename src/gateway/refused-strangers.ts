import { addressKey } from '../identity/address-key.ts'
import { AttemptLimit } from '../identity/attempt-limit.ts'

/** What becomes of the audit record of a refusal: written; written as the one that stands for all that follow; left out. */
export type StrangerRecord = 'written' | 'last' | 'left-out'

/**
 * Counts the refusals of those who presented nothing of ours, by address and minute. Each leaves an audit record, but anybody
 * can cause them: beyond this many a further one says nothing new, and would only fill the store and bury the rest. The
 * refusal itself is the same.
 */
export class RefusedStrangers {
  readonly #max: number
  readonly #refusals: AttemptLimit

  constructor(maxPerMinute = 600) {
    this.#max = maxPerMinute
    this.#refusals = new AttemptLimit({ attempts: maxPerMinute, windowSeconds: 60, publicMessage: '' })
  }

  async next(peer: string): Promise<StrangerRecord> {
    const key = addressKey(peer)
    try {
      await this.#refusals.take(key)
      return 'written'
    } catch {
      return (await this.#refusals.count(key)) === this.#max + 1 ? 'last' : 'left-out'
    }
  }
}
