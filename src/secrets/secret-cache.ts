import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { ResolvedSecret } from '../dialer/secret-references.ts'
import type { SecretDocument } from './secret-source.ts'

type SecretOrigin = ResolvedSecret['origin']

export interface CachedSecret {
  readonly document: SecretDocument
  readonly origin: SecretOrigin
  /** Goes up with each fetch of this key. Hand it back to {@link SecretCache.reject}. */
  readonly generation: number
}

export interface SecretCacheOptions {
  readonly clock: Clock
  /** How long a fetched secret is used without asking again, in milliseconds. */
  readonly ttlMs: number
  /** How long after its fetch a secret may still be used while its manager does not answer, in milliseconds. */
  readonly staleMs: number
  readonly maxEntries?: number
}

interface Entry {
  readonly document: SecretDocument
  readonly fetchedAt: number
  readonly generation: number
  /** A database refused it: it is good for nothing, not even while the manager is away. */
  isRejected: boolean
  /** Its manager was silent: until then nobody waits for it again, as long as this may be used. Milliseconds since the epoch. */
  askAgainAt: number
}

/** A manager that takes every request and answers none would cost each login the whole limit of a fetch. */
const SILENCE_MS = 5_000

/**
 * Secrets of external managers, remembered in memory for a while.
 *
 * One fetch at a time for a key, however many ask. Within the TTL nothing is asked. After it, a manager that does not answer
 * (kinds `upstream` and `dependency`) leaves the last secret in use up to `staleMs` after its fetch, and is asked again every few
 * seconds; one that answers "no" does not. A secret that a database refused is fetched anew, once for all who met the refusal: so a rotation fails no session.
 */
export class SecretCache {
  readonly #options: SecretCacheOptions
  readonly #entries = new Map<string, Entry>()
  readonly #running = new Map<string, Promise<Entry>>()
  #generation = 0

  constructor(options: SecretCacheOptions) {
    this.#options = options
  }

  /** @throws what `fetch` throws, when no secret may be used in its stead */
  async get(key: string, fetch: () => Promise<SecretDocument>): Promise<CachedSecret> {
    const known = this.#entries.get(key)
    if (known && !known.isRejected && this.#age(known) < this.#lifeOf(known)) return toCached(known, 'cached')
    if (known && this.#mayReplace(known) && this.#nowMs() < known.askAgainAt) return toCached(known, 'stale')
    try {
      return toCached(await this.#fetchOnce(key, fetch), 'fetched')
    } catch (thrown) {
      const last = this.#entries.get(key)
      if (last === undefined || !mayBeStale(thrown) || !this.#mayReplace(last)) throw thrown
      last.askAgainAt = this.#nowMs() + SILENCE_MS
      return toCached(last, 'stale')
    }
  }

  /** Whether a secret whose time is over may still be used while its manager is silent. */
  #mayReplace(entry: Entry): boolean {
    return !entry.isRejected && this.#age(entry) < this.#staleLifeOf(entry)
  }

  /**
   * Says that the database refused the secret of this generation. The next {@link get} fetches, unless somebody has already.
   */
  reject(key: string, generation: number): void {
    const entry = this.#entries.get(key)
    if (entry?.generation === generation) entry.isRejected = true
  }

  async #fetchOnce(key: string, fetch: () => Promise<SecretDocument>): Promise<Entry> {
    const running = this.#running.get(key)
    if (running) return running
    const started = fetch()
      .then((document) => {
        const entry = {
          document,
          fetchedAt: this.#nowMs(),
          generation: ++this.#generation,
          isRejected: false,
          askAgainAt: 0,
        }
        this.#remember(key, entry)
        return entry
      })
      .finally(() => this.#running.delete(key))
    this.#running.set(key, started)
    return started
  }

  #remember(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size <= (this.#options.maxEntries ?? 1_000)) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }

  #nowMs(): number {
    return this.#options.clock.now().getTime()
  }

  #age(entry: Entry): number {
    return this.#nowMs() - entry.fetchedAt
  }

  #lifeOf({ document }: Entry): number {
    return Math.min(this.#options.ttlMs, leaseOf(document))
  }

  #staleLifeOf({ document }: Entry): number {
    return Math.min(this.#options.staleMs, leaseOf(document))
  }
}

function leaseOf({ leaseMs }: SecretDocument): number {
  return leaseMs ?? Number.POSITIVE_INFINITY
}

function toCached({ document, generation }: Entry, origin: SecretOrigin): CachedSecret {
  return { document, origin, generation }
}

/** Only silence is forgiven. Whoever answers that the secret is gone, or not ours, is believed. */
function mayBeStale(thrown: unknown): boolean {
  return thrown instanceof PosternError && thrown.code === 'SECRET_SOURCE_UNAVAILABLE'
}
