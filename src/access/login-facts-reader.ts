import type pg from 'pg'
import { assertNever } from '../base/assert-never.ts'
import type { Clock } from '../base/clock.ts'
import { withDeadline } from '../base/deadline.ts'
import { PosternError } from '../base/errors.ts'
import { type LoginFacts, type LoginQuestion, readLoginFacts } from '../store/login-facts.ts'
import {
  isBoundOid,
  type NativeLoginFacts,
  type NativeLoginQuestion,
  readNativeLoginFacts,
} from '../store/native-login-facts.ts'
import type { LoginDecision, LoginDenial } from './decide-login.ts'

/** The facts of one login, and where they come from. */
export interface LoginReading {
  readonly question: LoginQuestion
  readonly facts: LoginFacts
  readonly source: 'store' | 'memory'
}

interface RememberedFacts {
  readonly question: LoginQuestion
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
 * young enough. A removal that this node has seen is never undone: the denial forgets everything that it contradicts, under
 * whatever name, and reads that were under way at that moment are not remembered. A restarted node remembers nothing and refuses.
 *
 * Circuit: closed → three failures in a row → open for one second (no read is tried) → one trial read → closed or open.
 */
export class LoginFactsReader {
  readonly #pool: pg.Pool
  readonly #clock: Clock
  readonly #deadlineMs: number
  readonly #rememberMs: number
  readonly #remembered = new Map<string, RememberedFacts>()
  /** Questions that are being answered by the store, and that no denial has overtaken. */
  readonly #underWay = new Set<LoginQuestion>()
  #failuresInARow = 0
  #openUntil = 0

  constructor(deps: { pool: pg.Pool; clock: Clock; deadlineMs: number; rememberSeconds: number }) {
    this.#pool = deps.pool
    this.#clock = deps.clock
    this.#deadlineMs = deps.deadlineMs
    this.#rememberMs = deps.rememberSeconds * 1000
  }

  /** @throws PosternError STORE_UNAVAILABLE when the store is away and nothing young enough is remembered */
  async read(question: LoginQuestion): Promise<LoginReading> {
    if (!this.#mayAsk()) return this.#recall(question, undefined)
    this.#underWay.add(question)
    try {
      return { question, facts: await this.#ask(readLoginFacts(this.#pool, question)), source: 'store' }
    } catch (cause) {
      this.#underWay.delete(question)
      return this.#recall(question, cause)
    }
  }

  /**
   * Reads what decides a login by password. Nothing of it is remembered: while the store is away there is none.
   * @throws PosternError STORE_UNAVAILABLE
   */
  async readNative(question: NativeLoginQuestion): Promise<NativeLoginFacts | null> {
    return this.#askOrRefuse(() => readNativeLoginFacts(this.#pool, question))
  }

  /** Whether Postern made the role with this oid in this cluster. @throws PosternError STORE_UNAVAILABLE */
  async isBoundOid(systemIdentifier: string, roleOid: string): Promise<boolean> {
    return this.#askOrRefuse(() => isBoundOid(this.#pool, systemIdentifier, roleOid))
  }

  async #askOrRefuse<T>(read: () => Promise<T>): Promise<T> {
    const refusal = (cause: unknown) =>
      new PosternError('STORE_UNAVAILABLE', 'Logins cannot be checked right now', { cause })
    if (!this.#mayAsk()) throw refusal(undefined)
    try {
      return await this.#ask(read())
    } catch (cause) {
      throw refusal(cause)
    }
  }

  async #ask<T>(reading: Promise<T>): Promise<T> {
    try {
      const late = 'The metadata store did not answer in time'
      const facts = await withDeadline(reading, this.#deadlineMs, 'STORE_UNAVAILABLE', late)
      this.#failuresInARow = 0
      return facts
    } catch (thrown) {
      this.#failuresInARow += 1
      if (this.#failuresInARow >= breakerThreshold) this.#pause()
      throw thrown
    }
  }

  /** Call with the decision on every reading, before anything else is awaited. */
  learn({ question, facts, source }: LoginReading, decision: LoginDecision): void {
    if (source === 'memory') return
    const isOvertaken = !this.#underWay.delete(question)
    if (decision.allowed) {
      if (!isOvertaken) this.#remember(question, facts)
      return
    }
    const contradicts = contradictedBy(decision.denial, question, facts)
    for (const [key, remembered] of this.#remembered) if (contradicts(remembered)) this.#remembered.delete(key)
    this.#underWay.clear()
  }

  #mayAsk(): boolean {
    if (this.#failuresInARow < breakerThreshold) return true
    if (this.#clock.now().getTime() < this.#openUntil) return false
    // The others go on without the store until this trial has an answer.
    this.#pause()
    return true
  }

  #pause(): void {
    this.#openUntil = this.#clock.now().getTime() + breakerPauseMs
  }

  #remember(question: LoginQuestion, facts: LoginFacts): void {
    if (this.#rememberMs === 0) return
    const key = keyOf(question)
    this.#remembered.delete(key)
    if (this.#remembered.size >= rememberedMax) this.#remembered.delete(this.#remembered.keys().next().value as string)
    this.#remembered.set(key, { question, facts, readAt: this.#clock.now().getTime() })
  }

  #recall(question: LoginQuestion, cause: unknown): LoginReading {
    const remembered = this.#remembered.get(keyOf(question))
    if (remembered && this.#clock.now().getTime() - remembered.readAt <= this.#rememberMs) {
      return { question, facts: remembered.facts, source: 'memory' }
    }
    throw new PosternError('STORE_UNAVAILABLE', 'Logins cannot be checked right now', { cause })
  }
}

/** Which remembered logins cannot be right any more, now that the store has given this reason for a denial. */
function contradictedBy(
  denial: LoginDenial,
  question: LoginQuestion,
  facts: LoginFacts,
): (remembered: RememberedFacts) => boolean {
  const ofPrincipal = ({ question: other }: RememberedFacts) => other.principalId === question.principalId
  const onInstance = (other: RememberedFacts) =>
    other.question.workspaceId === question.workspaceId &&
    ('name' in question.instance
      ? other.facts.instance?.name === question.instance.name
      : other.facts.instance?.id === question.instance.id)
  const ofRole = (other: RememberedFacts) => other.question.roleName === question.roleName && onInstance(other)
  const asGroup = (other: RememberedFacts) => ofPrincipal(other) && other.facts.binding?.holderKind === 'group'
  switch (denial) {
    case 'principal-unknown':
    case 'principal-inactive':
    case 'not-in-workspace':
      return ofPrincipal
    case 'instance-not-found':
    case 'instance-not-available':
      return onInstance
    case 'credential-wrong-instance':
    case 'credential-wrong-group':
    case 'read-only-unavailable':
      // Says something of this credential, not of its principal.
      return () => false
    case 'access-token-not-accepted':
      return (other) => onInstance(other) && other.facts.instance?.accessTokenLogin === true
    case 'role-not-bound':
      return ofRole
    case 'role-of-another':
      return (other) => ofRole(other) && (ofPrincipal(other) || other.facts.binding?.id !== facts.binding?.id)
    case 'not-a-member':
      // Whoever left a group left those that contain it, too.
      return asGroup
    case 'group-inactive':
    case 'group-not-in-workspace':
      return (other) => asGroup(other) || other.facts.binding?.holderId === facts.binding?.holderId
    default:
      return assertNever(denial)
  }
}

function keyOf(question: LoginQuestion): string {
  const instance = 'name' in question.instance ? `n:${question.instance.name}` : `i:${question.instance.id}`
  const scope = question.readOnly ? 'ro' : 'rw'
  return [question.workspaceId, question.principalId, instance, question.roleName, scope].join('\0')
}
