import type { Clock } from '../../base/clock.ts'
import type { Secret } from '../../base/secret.ts'
import { CliError } from '../cli-error.ts'
import type { Failure } from '../exit-code.ts'

/** A database credential and when it stops opening sessions. */
export interface SessionCredential {
  readonly token: Secret
  readonly expiresAt: Date
}

/** Failures that say nothing about what the caller may do: the last credential goes on while it lives. */
const passing = new Set<Failure>(['unreachable', 'dependency', 'internal', 'limit'])

/** A credential for every new session: a fresh one each time, except that sessions which begin at the same time share it. */
export class SessionCredentials {
  readonly #mint: () => Promise<SessionCredential>
  readonly #clock: Clock
  #inFlight: Promise<SessionCredential> | undefined
  #last: SessionCredential | undefined

  constructor(mint: () => Promise<SessionCredential>, clock: Clock) {
    this.#mint = mint
    this.#clock = clock
  }

  /** @throws whatever minting threw, unless the control plane is away and the last credential still opens sessions */
  async take(): Promise<Secret> {
    this.#inFlight ??= this.#mint().finally(() => (this.#inFlight = undefined))
    try {
      this.#last = await this.#inFlight
    } catch (thrown) {
      const isPassing = thrown instanceof CliError && passing.has(thrown.failure)
      if (!isPassing || this.#last === undefined || this.#last.expiresAt <= this.#clock.now()) throw thrown
    }
    return this.#last.token
  }
}
