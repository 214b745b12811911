type Close = () => Promise<void> | void

/** What has been started, to be ended in the opposite order: when a later step fails, and at the end. */
export class Closers {
  #stack: { readonly name: string; readonly close: Close }[] = []
  readonly #onError: (name: string, error: unknown) => void

  constructor(onError: (name: string, error: unknown) => void) {
    this.#onError = onError
  }

  add(name: string, close: Close): void {
    this.#stack.push({ name, close })
  }

  /** One that cannot be ended does not keep the others from ending. */
  async closeAll(): Promise<void> {
    for (let entry = this.#stack.pop(); entry; entry = this.#stack.pop()) {
      try {
        await entry.close()
      } catch (error) {
        this.#onError(entry.name, error)
      }
    }
  }
}
