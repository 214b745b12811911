import { addressKey } from './address-key.ts'
import { AttemptLimit } from './attempt-limit.ts'

const accountFailuresBeforeDelay = 5
const firstDelayMs = 250
const longestDelayMs = 2_000

/**
 * Slows down the guessing of passwords without giving anybody the power to lock another person out: an address that fails
 * too often is refused for a minute; a name that is guessed at from many addresses is only answered later, never refused.
 */
export class SignInThrottle {
  readonly #byAddress = new AttemptLimit({
    attempts: 10,
    windowSeconds: 60,
    publicMessage: 'Too many failed sign-ins from this address',
  })
  readonly #byName = new AttemptLimit({ attempts: Number.MAX_SAFE_INTEGER, windowSeconds: 15 * 60, publicMessage: '' })
  readonly #wait: (delayMs: number) => Promise<void>

  /** @param wait resolves after so many milliseconds */
  constructor(wait: (delayMs: number) => Promise<void>) {
    this.#wait = wait
  }

  /** @throws PosternError RATE_LIMITED for an address with ten failures in a minute */
  async begin(address: string, name: string): Promise<void> {
    await this.#byAddress.take(addressKey(address))
    await this.#byName.take(nameKey(name))
    const extraFailures = (await this.#byName.count(nameKey(name))) - 1 - accountFailuresBeforeDelay
    if (extraFailures >= 0) await this.#wait(Math.min(longestDelayMs, firstDelayMs * 2 ** extraFailures))
  }

  async succeeded(address: string, name: string): Promise<void> {
    await this.#byAddress.giveBack(addressKey(address))
    await this.#byName.forget(nameKey(name))
  }
}

function nameKey(name: string): string {
  return name.toLowerCase()
}
