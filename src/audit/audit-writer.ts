import { PosternError } from '../base/errors.ts'
import { withDeadline } from '../base/deadline.ts'
import { insertAuditEventsPrepared, isRefusedForContent } from '../store/audit-events.ts'
import type { Store } from '../store/store.ts'
import type { AuditRecord } from './audit-record.ts'
import type { AuditSpool } from './audit-spool.ts'

interface Waiting {
  readonly record: AuditRecord
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const batchMax = 500
const shipRetryMs = 500
/** A batch that is shipped keeps nobody waiting, and after a long outage there are large ones. */
const shipDeadlineMs = 5_000
/** What is left in the spool is shipped ahead of a new record when it is no more than this: a few milliseconds' work. */
const catchUpMaxBytes = 256 * 1024
const lookForOrphansMs = 10_000

/**
 * Writes audit records so that each is durable before its caller acts (design section 5, invariant 6), several at a time:
 * while one batch is on its way, those that arrive are gathered into the next.
 *
 * States: *direct* (batches go to the store) → the store fails or is late → *spooling* (batches are appended to the local
 * spool and synced; a shipper tries to send the spool in order) → the store answers and little is left → *catching up* (the rest
 * is shipped ahead of the next batch) → *direct*. Without a spool a failing store refuses the record. A batch that timed out may
 * still have been stored: the ids make shipping it again harmless. A record that the store refuses for what is in it would be
 * refused at every attempt: it is set aside from the spool.
 */
export class AuditWriter {
  readonly #store: Store
  readonly #spool: AuditSpool | undefined
  readonly #deadlineMs: number
  #waiting: Waiting[] = []
  #working: Promise<void> | undefined
  #shipTimer: ReturnType<typeof setTimeout> | undefined
  #shipping: Promise<void> | undefined
  /** What the last attempt to ship says. */
  #storeAnswers = false
  #orphanTimer: ReturnType<typeof setInterval> | undefined
  #closed = false
  readonly #onSetAside: (record: AuditRecord, refusal: unknown) => void
  #setAside = 0

  /** @param deps `onSetAside` hears of a record that the store refuses for what is in it, once it is set aside */
  constructor(deps: {
    store: Store
    spool?: AuditSpool | undefined
    deadlineMs: number
    onSetAside?: (record: AuditRecord, refusal: unknown) => void
  }) {
    this.#store = deps.store
    this.#onSetAside = deps.onSetAside ?? (() => undefined)
    this.#spool = deps.spool
    this.#deadlineMs = deps.deadlineMs
    if (!this.#spool) return
    this.#shipWhatIsLeft(0)
    this.#orphanTimer = setInterval(() => {
      this.#spool?.lookForOrphans()
      this.#shipWhatIsLeft(0)
    }, lookForOrphansMs)
    this.#orphanTimer.unref()
  }

  /**
   * Resolves once the record is durable: committed in the store, or synced to the local spool.
   * @throws PosternError AUDIT_UNAVAILABLE when it could be written nowhere; the caller must then do nothing
   */
  append(record: AuditRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, resolve, reject })
      this.#working ??= this.#work()
    })
  }

  /** What waits on the local disk for the store. */
  get spooledBytes(): number {
    return this.#spool?.bytes ?? 0
  }

  /** Records that were set aside since the start. */
  get setAside(): number {
    return this.#setAside
  }

  /** Waits for what is on its way and stops shipping. What is still spooled is shipped after the next start. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#shipTimer)
    clearInterval(this.#orphanTimer)
    await this.#working
    await this.#shipping
    await this.#spool?.close()
  }

  async #work(): Promise<void> {
    // One turn of the event loop gathers the logins that became ready together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchMax)
      try {
        await this.#write(batch.map((waiting) => waiting.record))
        for (const waiting of batch) waiting.resolve()
      } catch (error) {
        for (const waiting of batch) waiting.reject(error)
      }
    }
    // In the same turn as the last look at what waits: a record that comes later starts the work anew.
    this.#working = undefined
  }

  async #write(records: AuditRecord[]): Promise<void> {
    if (!(await this.#isCaughtUp())) return this.#spoolAway(records, undefined)
    try {
      await this.#insert(records, this.#deadlineMs)
    } catch (cause) {
      await this.#spoolAway(records, cause)
    }
  }

  /** Under load the spool would never be empty by itself: nothing is added to it while its rest is shipped. */
  async #isCaughtUp(): Promise<boolean> {
    const spool = this.#spool
    if (!spool || spool.isEmpty) return true
    if (!this.#storeAnswers || spool.bytes > catchUpMaxBytes) return false
    const shipped = (async () => {
      await this.#shipping
      if (!spool.isEmpty && this.#storeAnswers) await this.#startShipping()
    })()
    await withDeadline(shipped, this.#deadlineMs, 'STORE_UNAVAILABLE', 'The spool was not shipped in time').catch(
      () => undefined,
    )
    return spool.isEmpty
  }

  async #spoolAway(records: AuditRecord[], cause: unknown): Promise<void> {
    if (!this.#spool) throw new PosternError('AUDIT_UNAVAILABLE', 'The audit record could not be written', { cause })
    if (cause !== undefined) this.#storeAnswers = false
    await this.#spool.append(records)
    this.#shipWhatIsLeft(shipRetryMs)
  }

  async #insert(records: readonly AuditRecord[], deadlineMs: number): Promise<void> {
    const inserting = insertAuditEventsPrepared(this.#store.pool, records)
    await withDeadline(inserting, deadlineMs, 'STORE_UNAVAILABLE', 'The metadata store did not answer in time')
  }

  #shipWhatIsLeft(delayMs: number): void {
    if (this.#closed || this.#shipTimer !== undefined || this.#shipping !== undefined || this.#spool?.isEmpty) return
    this.#shipTimer = setTimeout(() => {
      this.#shipTimer = undefined
      void this.#startShipping()
    }, delayMs)
  }

  #startShipping(): Promise<void> {
    this.#shipping ??= this.#ship().finally(() => {
      this.#shipping = undefined
      this.#shipWhatIsLeft(this.#storeAnswers ? 0 : shipRetryMs)
    })
    return this.#shipping
  }

  async #ship(): Promise<void> {
    try {
      for await (const records of this.#spool?.batches(batchMax) ?? []) {
        if (this.#closed) return
        await this.#deliver(records)
      }
      this.#storeAnswers = true
    } catch {
      // The store is still away: what was read stays in the spool, and the next round starts with it.
      this.#storeAnswers = false
    }
  }
  /** Finds what the store refuses for its content by halves, so that the rest is stored in order. */
  async #deliver(records: readonly AuditRecord[]): Promise<void> {
    try {
      await this.#insert(records, shipDeadlineMs)
    } catch (thrown) {
      if (!isRefusedForContent(thrown)) throw thrown
      const [record] = records
      if (record !== undefined && records.length === 1) {
        await this.#spool?.setAside(record)
        this.#setAside += 1
        this.#onSetAside(record, thrown)
        return
      }
      const half = Math.ceil(records.length / 2)
      await this.#deliver(records.slice(0, half))
      await this.#deliver(records.slice(half))
    }
  }
}
