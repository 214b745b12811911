import { addressKey } from '../identity/address-key.ts'
import { AttemptLimit } from '../identity/attempt-limit.ts'

/**
 * Limits of the token endpoint, on this node. Failures count against the address, and against the client as that address
 * names it: whoever sends wrong secrets from one place takes nothing from the same client elsewhere. What a client gets is
 * counted apart, by client alone.
 */
export class TokenLimits {
  readonly #failuresOfAddress = new AttemptLimit({
    attempts: 120,
    windowSeconds: 60,
    publicMessage: 'Too many failed token requests from this address',
  })
  readonly #failuresOfClientAtAddress = new AttemptLimit({
    attempts: 30,
    windowSeconds: 60,
    publicMessage: 'Too many failed token requests for this client from this address',
  })
  readonly #tokensOfClient = new AttemptLimit({
    attempts: 600,
    windowSeconds: 60,
    publicMessage: 'This client got too many access tokens in a short time: keep a token until it expires',
  })

  /** @throws PosternError RATE_LIMITED */
  async beginRequest(address: string): Promise<void> {
    await this.#failuresOfAddress.take(addressKey(address))
  }

  /** @throws PosternError RATE_LIMITED */
  async beginSecret(address: string, clientId: string): Promise<void> {
    await this.#failuresOfClientAtAddress.take(`${addressKey(address)} ${clientId}`)
  }

  /** @throws PosternError RATE_LIMITED */
  async secretMatched(address: string, clientId: string): Promise<void> {
    await this.#failuresOfClientAtAddress.giveBack(`${addressKey(address)} ${clientId}`)
    await this.#tokensOfClient.take(clientId)
  }

  /** Takes back {@link beginSecret} of an attempt that failed on our side. */
  async secretUnchecked(address: string, clientId: string): Promise<void> {
    await this.#failuresOfClientAtAddress.giveBack(`${addressKey(address)} ${clientId}`)
  }

  /** Takes back {@link beginRequest} of a request that succeeded, or failed on our side. */
  async requestForgiven(address: string): Promise<void> {
    await this.#failuresOfAddress.giveBack(addressKey(address))
  }
}
