import { PosternError } from '../base/errors.ts'
import type { QueryOptions } from './query-events.ts'
import { statementTimedOut } from './statement-error.ts'

/** The server is told the limit itself; we wait this much longer for its own answer. */
const GRACE_MS = 1_000

/** Why running statements are to stop: their signal, or their time. One for each call of `query`; always close it. */
export class Interruption {
  readonly #options: QueryOptions
  readonly #timer: ReturnType<typeof setTimeout>
  #reason: 'cancelled' | 'timed-out' | undefined
  #stop: () => void = () => undefined

  constructor(options: QueryOptions) {
    this.#options = options
    this.#timer = setTimeout(this.#onTime, options.timeoutMs + GRACE_MS)
    if (options.signal.aborted) this.#reason = 'cancelled'
    else options.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs
  }

  get isRequested(): boolean {
    return this.#reason !== undefined
  }

  /** `stop` is called when the interruption comes, at once if it has come; it replaces the one before. */
  onRequest(stop: () => void): void {
    this.#stop = stop
    if (this.isRequested) stop()
  }

  /** @throws PosternError CANCELLED, or STATEMENT_FAILED when the time is over */
  check(): void {
    if (this.isRequested) throw this.error(undefined)
  }

  /** What the caller is told once the interruption was requested. */
  error(cause: unknown): PosternError {
    if (this.#reason === 'timed-out') return statementTimedOut(this.#options.timeoutMs, cause)
    return new PosternError('CANCELLED', 'the statement was cancelled', { cause })
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#stop = () => undefined
  }

  #onAbort = (): void => this.#request('cancelled')
  #onTime = (): void => this.#request('timed-out')

  #request(reason: 'cancelled' | 'timed-out'): void {
    if (this.isRequested) return
    this.#reason = reason
    this.#stop()
  }
}
