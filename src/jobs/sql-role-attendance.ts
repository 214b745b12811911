import {
  type AttendedInstance,
  attendInstance,
  followSqlRoleChanges,
  listAttendedInstances,
} from '../access/attend-sql-roles.ts'
import type { SqlRoleDependencies } from '../access/complete-sql-role.ts'
import type { Logger } from '../telemetry/logger.ts'
import { Repeated } from './repeated.ts'

/** Instances come and go seldom. */
const LIST_MS = 2_000
/** Between two looks at an instance: for as long a role that was made in SQL may not be known to the gateway. */
const LOOK_MS = 1_000
/** Several changes in a row are told once. */
const SETTLE_MS = 100
const LONGEST_RETRY_MS = 60_000
/** An attendance that lasted this long had a good start. */
const STABLE_MS = 10_000

/**
 * The other side of databricks_auth: on every instance that may have it, one administrator's session that looks each second for
 * databases to tell who there is, and for Postgres roles to bind. Any number of nodes may do it.
 */
export class SqlRoleAttendance {
  readonly #deps: SqlRoleDependencies
  readonly #logger: Pick<Logger, 'error' | 'warn'>
  readonly #nodeId: string
  readonly #listing: Repeated
  readonly #attended = new Map<string, Attendance>()
  /** Instances whose last attendance failed. */
  readonly #troubles = new Map<string, { readonly times: number; readonly notBefore: number }>()
  #unfollow: (() => Promise<void>) | undefined
  #version = 0

  constructor(deps: SqlRoleDependencies, logger: Pick<Logger, 'error' | 'warn'>, nodeId: string) {
    this.#deps = deps
    this.#logger = logger
    this.#nodeId = nodeId
    this.#listing = new Repeated(LIST_MS, () => this.#list(), logger, 'instances with databricks_auth were not listed')
  }

  async start(): Promise<void> {
    this.#unfollow = await followSqlRoleChanges(this.#deps, () => this.#onChange())
    this.#listing.start()
  }

  async close(): Promise<void> {
    this.#listing.stop()
    await this.#unfollow?.()
    for (const attendance of this.#attended.values()) attendance.stop()
    await Promise.allSettled([...this.#attended.values()].map(({ ended }) => ended))
  }

  #onChange(): void {
    this.#version += 1
    for (const attendance of this.#attended.values()) attendance.wake()
  }

  async #list(): Promise<void> {
    const wanted = new Map(
      (await listAttendedInstances(this.#deps, this.#nodeId)).map((instance) => [keyOf(instance), instance]),
    )
    for (const key of this.#troubles.keys()) if (!wanted.has(key)) this.#troubles.delete(key)
    for (const [key, attendance] of this.#attended) if (!wanted.has(key)) attendance.stop()
    for (const [key, instance] of wanted) if (!this.#attended.has(key) && this.#mayTry(key)) this.#attend(key, instance)
  }

  #attend(key: string, instance: AttendedInstance): void {
    const { instanceId } = instance
    const beganAt = performance.now()
    const attendance = new Attendance((pause) =>
      attendInstance(this.#deps, instance, {
        version: () => this.#version,
        pause,
        onFailure: (database, error) =>
          this.#logger.warn({ err: error, instanceId, database }, 'databricks_auth of a database was not attended to'),
      }),
    )
    this.#attended.set(key, attendance)
    // A later list begins again.
    void attendance.ended
      .then(
        () => this.#troubles.delete(key),
        (error: unknown) => this.#onTrouble(key, instanceId, performance.now() - beganAt, error),
      )
      .finally(() => this.#attended.delete(key))
  }

  /** Longer and longer between two attempts, so that an instance that is away fills no log. */
  #onTrouble(key: string, instanceId: string, lastedMs: number, error: unknown): void {
    const before = lastedMs > STABLE_MS ? 0 : (this.#troubles.get(key)?.times ?? 0)
    const retryInMs = Math.min(LIST_MS * 2 ** before, LONGEST_RETRY_MS)
    this.#troubles.set(key, { times: before + 1, notBefore: performance.now() + retryInMs })
    this.#logger.warn({ err: error, instanceId, retryInMs }, 'databricks_auth was not attended to')
  }

  #mayTry(key: string): boolean {
    return performance.now() >= (this.#troubles.get(key)?.notBefore ?? 0)
  }
}

function keyOf({ instanceId, databases }: AttendedInstance): string {
  return [instanceId, ...(databases ?? [])].join('/')
}

/** Looks at one instance again and again; a wish to look at once shortens the pause. */
class Attendance {
  readonly ended: Promise<void>
  #isStopped = false
  #resume: (() => void) | undefined
  #isWanted = false

  constructor(attend: (pause: () => Promise<boolean>) => Promise<void>) {
    this.ended = attend(() => this.#pause())
  }

  wake(): void {
    this.#isWanted = true
    this.#resume?.()
  }

  stop(): void {
    this.#isStopped = true
    this.#resume?.()
  }

  async #pause(): Promise<boolean> {
    if (!this.#isWanted && !this.#isStopped) await this.#sleep(LOOK_MS)
    if (this.#isWanted && !this.#isStopped) await this.#sleep(SETTLE_MS)
    this.#isWanted = false
    return !this.#isStopped
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#resume = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
