import type { Clock } from '../base/clock.ts'

/** Something that is good for a while. */
export interface Lasting {
  /** From the moment that it was asked for. */
  readonly usableMs: number
}

/** A value, and how it was found. */
export interface Found<T> {
  readonly value: T
  readonly origin: 'fetched' | 'cached'
  /** Unless another one has taken its place, it is asked for anew next time. */
  readonly forget: () => void
}

interface Entry<T> {
  readonly value: T
  /** Milliseconds since the epoch. */
  readonly usableUntil: number
}

const MAX_ENTRIES = 1_000

/**
 * Remembers what was asked for until it ends. One is asked for at a time, however many need it; shortly before the end the next one
 * is, while everybody goes on with the old one.
 */
export class AheadOfNeed<T extends Lasting> {
  readonly #clock: Clock
  readonly #aheadMs: number
  readonly #entries = new Map<string, Entry<T>>()
  readonly #running = new Map<string, Promise<Entry<T>>>()

  constructor(clock: Clock, aheadMs: number) {
    this.#clock = clock
    this.#aheadMs = aheadMs
  }

  /** @throws what `ask` throws, when nothing is left of what was there before */
  async get(key: string, ask: () => Promise<T>): Promise<Found<T>> {
    const known = this.#entries.get(key)
    const leftMs = known === undefined ? 0 : known.usableUntil - this.#clock.now().getTime()
    if (known === undefined || leftMs <= 0) return this.#found(key, await this.#askOnce(key, ask), 'fetched')
    // Whoever needs the next one is told why there is none.
    if (leftMs <= this.#aheadMs) this.#askOnce(key, ask).catch(() => undefined)
    return this.#found(key, known, 'cached')
  }

  #found(key: string, entry: Entry<T>, origin: Found<T>['origin']): Found<T> {
    const forget = (): void => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    }
    return { value: entry.value, origin, forget }
  }

  async #askOnce(key: string, ask: () => Promise<T>): Promise<Entry<T>> {
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const startedAt = this.#clock.now().getTime()
    const asked = ask()
      .then((value) => {
        const entry = { value, usableUntil: startedAt + value.usableMs }
        this.#remember(key, entry)
        return entry
      })
      .finally(() => this.#running.delete(key))
    this.#running.set(key, asked)
    return asked
  }

  #remember(key: string, entry: Entry<T>): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > MAX_ENTRIES && oldest !== undefined) this.#entries.delete(oldest)
  }
}
