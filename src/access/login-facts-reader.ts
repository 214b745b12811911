import type pg from 'pg'
import type { Clock } from '../base/clock.ts'
import { withDeadline } from '../base/deadline.ts'
import { PosternError } from '../base/errors.ts'
import { type LoginFacts, type LoginQuestion, readLoginFacts } from '../store/login-facts.ts'

interface RememberedFacts {
  readonly facts: LoginFacts
  readonly readAt: number
}

const breakerThreshold = 3
const breakerPauseMs = 1000
const rememberedMax = 50_000

/**
 * Reads login facts from the store, and remembers those of allowed logins for when the store is away (design section 5a).
 *
 * While the store answers, every login is a fresh read: what is remembered is never used to save one. When it does not answer
 * in time or fails, the facts of the last allowed login of the same principal, Postgres role and instance are used, if they are
 * young enough. A denial that this node has seen forgets them, so that a removal is never undone. A restarted node remembers
 * nothing and refuses.
 *
 * Circuit: closed → three failures in a row → open for one second (no read is tried) → one trial read → closed or open.
 */
export class LoginFactsReader {
  readonly #pool: pg.Pool
  readonly #clock: Clock
  readonly #deadlineMs: number
  readonly #rememberMs: number
  readonly #remembered = new Map<string, RememberedFacts>()
  #failuresInARow = 0
  #openUntil = 0

  constructor(deps: { pool: pg.Pool; clock: Clock; deadlineMs: number; rememberSeconds: number }) {
    this.#pool = deps.pool
    this.#clock = deps.clock
    this.#deadlineMs = deps.deadlineMs
    this.#rememberMs = deps.rememberSeconds * 1000
  }

  /**
   * @returns the facts and where they come from
   * @throws PosternError STORE_UNAVAILABLE when the store is away and nothing young enough is remembered
   */
  async read(question: LoginQuestion): Promise<{ facts: LoginFacts; source: 'store' | 'memory' }> {
    const now = this.#clock.now().getTime()
    if (now >= this.#openUntil) {
      try {
        const reading = readLoginFacts(this.#pool, question)
        const facts = await withDeadline(
          reading,
          this.#deadlineMs,
          'STORE_UNAVAILABLE',
          'The metadata store did not answer in time',
        )
        this.#failuresInARow = 0
        return { facts, source: 'store' }
      } catch (cause) {
        this.#failuresInARow += 1
        if (this.#failuresInARow >= breakerThreshold) this.#openUntil = this.#clock.now().getTime() + breakerPauseMs
        return { facts: this.#recall(question, cause), source: 'memory' }
      }
    }
    return { facts: this.#recall(question, undefined), source: 'memory' }
  }

  /** Call after the decision: facts of an allowed login are kept, those of a denied one are forgotten. */
  remember(question: LoginQuestion, facts: LoginFacts, allowed: boolean): void {
    const key = keyOf(question)
    this.#remembered.delete(key)
    if (!allowed || this.#rememberMs === 0) return
    if (this.#remembered.size >= rememberedMax) this.#remembered.delete(this.#remembered.keys().next().value as string)
    this.#remembered.set(key, { facts, readAt: this.#clock.now().getTime() })
  }

  #recall(question: LoginQuestion, cause: unknown): LoginFacts {
    const remembered = this.#remembered.get(keyOf(question))
    if (remembered && this.#clock.now().getTime() - remembered.readAt <= this.#rememberMs) return remembered.facts
    throw new PosternError('STORE_UNAVAILABLE', 'Logins cannot be checked right now', { cause })
  }
}

function keyOf(question: LoginQuestion): string {
  const instance = 'name' in question.instance ? `n:${question.instance.name}` : `i:${question.instance.id}`
  return [question.workspaceId, question.principalId, instance, question.roleName].join('\0')
}
