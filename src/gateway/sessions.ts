import { PosternError } from '../base/errors.ts'
import type { Relay } from './relay.ts'

/** The open sessions of this worker. */
export class Sessions {
  readonly #max: number
  readonly #open = new Set<Relay>()
  #draining = false
  #onEmpty: (() => void) | undefined

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#open.size
  }

  /** @throws PosternError TOO_MANY_SESSIONS | SHUTTING_DOWN */
  requireRoom(): void {
    if (this.#draining) throw new PosternError('SHUTTING_DOWN', 'the gateway is shutting down')
    if (this.#open.size >= this.#max) {
      throw new PosternError(
        'TOO_MANY_SESSIONS',
        `sorry, too many clients already: the gateway has ${this.#max} open sessions`,
      )
    }
  }

  /** @returns how to leave when the session ends */
  enter(relay: Relay): () => void {
    this.#open.add(relay)
    return () => {
      this.#open.delete(relay)
      if (this.#open.size === 0) this.#onEmpty?.()
    }
  }

  /**
   * Lets open sessions end by themselves, and ends the rest when the time is over.
   * @param lastWords what the client of such a session reads
   * @param hurried ends the waiting when it is aborted
   */
  async drain(timeoutMs: number, lastWords: Uint8Array, hurried?: AbortSignal): Promise<void> {
    this.#draining = true
    await this.#empty(timeoutMs, hurried)
    for (const relay of this.#open) relay.terminate(lastWords)
    await this.#empty(1000)
  }

  async #empty(timeoutMs: number, hurried?: AbortSignal): Promise<void> {
    if (this.#open.size === 0 || hurried?.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onEmpty = resolve
    const timer = setTimeout(resolve, timeoutMs)
    const onHurry = (): void => resolve()
    hurried?.addEventListener('abort', onHurry)
    await promise
    hurried?.removeEventListener('abort', onHurry)
    clearTimeout(timer)
    this.#onEmpty = undefined
  }
}
