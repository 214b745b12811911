/** Work that is done again and again, never twice at a time; a failure is logged, and the next round comes all the same. */
export class Repeated {
  readonly #intervalMs: number
  readonly #work: () => Promise<void>
  readonly #logger: { error(fields: object, text: string): void }
  readonly #onFailure: string
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(
    intervalMs: number,
    work: () => Promise<void>,
    logger: { error(fields: object, text: string): void },
    onFailure: string,
  ) {
    this.#intervalMs = intervalMs
    this.#work = work
    this.#logger = logger
    this.#onFailure = onFailure
  }

  /** Begins with a first round at once. */
  start(): void {
    void this.#round()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #round(): Promise<void> {
    try {
      await this.#work()
    } catch (error) {
      this.#logger.error({ err: error }, this.#onFailure)
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#round(), this.#intervalMs)
  }
}
