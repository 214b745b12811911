import { setTimeout as sleep } from 'node:timers/promises'

type Close = () => Promise<void> | void

/** What has been started, to be ended in the opposite order: when a later step fails, and at the end. */
export class Closers {
  #stack: { readonly name: string; readonly close: Close; readonly limitMs: number }[] = []
  readonly #onError: (name: string, error: unknown) => void

  constructor(onError: (name: string, error: unknown) => void) {
    this.#onError = onError
  }

  /** @param limitMs is waited for its end, whatever it does */
  add(name: string, limitMs: number, close: Close): void {
    this.#stack.push({ name, close, limitMs })
  }

  /** One that cannot be ended, or not in time, does not keep the others from ending. */
  async closeAll(): Promise<void> {
    for (let entry = this.#stack.pop(); entry; entry = this.#stack.pop()) {
      try {
        await within(entry.limitMs, entry.close())
      } catch (error) {
        this.#onError(entry.name, error)
      }
    }
  }
}

async function within(limitMs: number, work: Promise<void> | void): Promise<void> {
  const timer = new AbortController()
  const late = sleep(limitMs, true, { signal: timer.signal }).catch(() => false)
  try {
    if (await Promise.race([work, late])) throw new Error(`it took more than ${limitMs} ms`)
  } finally {
    timer.abort()
  }
}
