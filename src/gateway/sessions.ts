import { PosternError } from '../base/errors.ts'
import type { Relay } from './relay.ts'
import type { RevocableSession } from './revocations.ts'

/** A place that a login has taken, until its session ends or does not come to be. */
export interface SessionPlace {
  /**
   * The session is open.
   * @param login what it was opened by, where that can be taken away
   */
  enter(relay: Relay, login?: RevocableLogin): void
  /** May be called again. */
  leave(): void
}

/** What a session rests on that belongs to a principal. */
export type RevocableLogin = Omit<RevocableSession, 'terminate' | 'isOpen'>

interface SessionLimits {
  readonly maxSessions: number
  readonly maxSessionsPerPrincipal: number
}

/** The sessions of this worker, those that are being opened included: logins at the same time cannot slip past the limits. */
export class Sessions {
  readonly #limits: SessionLimits
  readonly #open = new Map<Relay, RevocableLogin | undefined>()
  readonly #placesOf = new Map<string, number>()
  #places = 0
  #endedFromClients = 0
  #endedFromUpstreams = 0
  #draining = false
  #onEmpty: (() => void) | undefined

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#open.size
  }

  /**
   * Refuses early, before anything is known of the client. Takes no place: strangers must not hold any.
   * @throws PosternError TOO_MANY_SESSIONS | SHUTTING_DOWN
   */
  requireRoom(): void {
    if (this.#draining) throw new PosternError('SHUTTING_DOWN', 'the gateway is shutting down')
    const { maxSessions } = this.#limits
    if (this.#places < maxSessions) return
    throw new PosternError(
      'TOO_MANY_SESSIONS',
      `sorry, too many clients already: the gateway has ${maxSessions} sessions`,
    )
  }

  /**
   * @param holder who the session is counted for: a principal, or a Postgres role of an instance
   * @throws PosternError TOO_MANY_SESSIONS | SHUTTING_DOWN
   */
  takePlace(holder: string): SessionPlace {
    this.requireRoom()
    const { maxSessionsPerPrincipal } = this.#limits
    const taken = this.#placesOf.get(holder) ?? 0
    if (taken >= maxSessionsPerPrincipal) {
      throw new PosternError(
        'TOO_MANY_SESSIONS',
        `too many sessions: this principal has ${taken}, and may have no more in one worker of the gateway`,
        { hint: 'Close sessions that are not used, or have gatewayMaxSessionsPerPrincipal raised.' },
      )
    }
    this.#placesOf.set(holder, taken + 1)
    this.#places += 1
    let left = false
    let session: Relay | undefined
    return {
      enter: (relay, login) => {
        session = relay
        this.#open.set(relay, login)
      },
      leave: () => {
        if (left) return
        left = true
        this.#places -= 1
        this.#giveBack(holder)
        if (session === undefined) return
        this.#open.delete(session)
        this.#endedFromClients += session.bytesFromClient
        this.#endedFromUpstreams += session.bytesFromUpstream
        if (this.#open.size === 0) this.#onEmpty?.()
      },
    }
  }

  /** Bytes relayed by all sessions, the open ones included. */
  relayedBytes(): { readonly fromClients: number; readonly fromUpstreams: number } {
    let [fromClients, fromUpstreams] = [this.#endedFromClients, this.#endedFromUpstreams]
    for (const { bytesFromClient, bytesFromUpstream } of this.#open.keys()) {
      fromClients += bytesFromClient
      fromUpstreams += bytesFromUpstream
    }
    return { fromClients, fromUpstreams }
  }

  /** Those that are open now and belong to a principal. */
  revocable(): RevocableSession[] {
    const open = this.#open
    return [...open].flatMap(([relay, login]) =>
      login === undefined
        ? []
        : {
            ...login,
            terminate: (lastWords: Uint8Array) => relay.terminate(lastWords),
            get isOpen() {
              return open.has(relay)
            },
          },
    )
  }

  #giveBack(holder: string): void {
    const taken = (this.#placesOf.get(holder) ?? 1) - 1
    if (taken > 0) this.#placesOf.set(holder, taken)
    else this.#placesOf.delete(holder)
  }

  /**
   * Lets open sessions end by themselves, and ends the rest when the time is over.
   * @param lastWords what the client of such a session reads
   * @param hurried ends the waiting when it is aborted
   */
  async drain(timeoutMs: number, lastWords: Uint8Array, hurried?: AbortSignal): Promise<void> {
    this.#draining = true
    await this.#empty(timeoutMs, hurried)
    for (const relay of this.#open.keys()) relay.terminate(lastWords)
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
