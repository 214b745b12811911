import { createHash } from 'node:crypto'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { PosternError } from '../base/errors.ts'

/**
 * At most so many attempts per key in a window, counted on this node. An attempt is taken before the work and given back
 * when it turned out well, so that attempts made at the same time cannot slip past the count.
 */
export class AttemptLimit {
  readonly #limiter: RateLimiterMemory
  readonly #publicMessage: string

  /** @param publicMessage what the refused caller reads */
  constructor(options: { readonly attempts: number; readonly windowSeconds: number; readonly publicMessage: string }) {
    this.#limiter = new RateLimiterMemory({ points: options.attempts, duration: options.windowSeconds })
    this.#publicMessage = options.publicMessage
  }

  /** @throws PosternError RATE_LIMITED with `detail.retryAfterSeconds` */
  async take(key: string): Promise<void> {
    try {
      await this.#limiter.consume(fixedLength(key))
    } catch (thrown) {
      if (!(thrown instanceof RateLimiterRes)) throw thrown
      throw new PosternError('RATE_LIMITED', this.#publicMessage, {
        detail: { retryAfterSeconds: Math.max(1, Math.ceil(thrown.msBeforeNext / 1000)) },
      })
    }
  }

  async giveBack(key: string): Promise<void> {
    await this.#limiter.reward(fixedLength(key))
  }

  /** Attempts of the current window. */
  async count(key: string): Promise<number> {
    return (await this.#limiter.get(fixedLength(key)))?.consumedPoints ?? 0
  }

  async forget(key: string): Promise<void> {
    await this.#limiter.delete(fixedLength(key))
  }
}

/** Keys hold what callers sent; a long one must not cost memory. */
function fixedLength(key: string): string {
  return createHash('sha256').update(key).digest('base64url')
}
