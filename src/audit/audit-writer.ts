import { PosternError } from '../base/errors.ts'
import { withDeadline } from '../base/deadline.ts'
import { insertAuditEvents } from '../store/audit-events.ts'
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

/**
 * Writes audit records so that each is durable before its caller acts (design section 5, invariant 6), several at a time:
 * while one batch is on its way, those that arrive are gathered into the next.
 *
 * States: *direct* (batches go to the store) → the store fails or is late → *spooling* (batches are appended to the local
 * spool and synced; a shipper tries to send the spool in order) → the spool is empty again → *direct*. Without a spool a failing
 * store refuses the record. A batch that timed out may still have been stored: the ids make shipping it again harmless.
 */
export class AuditWriter {
  readonly #store: Store
  readonly #spool: AuditSpool | undefined
  readonly #deadlineMs: number
  #waiting: Waiting[] = []
  #working: Promise<void> | undefined
  #shipTimer: ReturnType<typeof setTimeout> | undefined
  #shipping: Promise<void> | undefined
  #closed = false

  constructor(deps: { store: Store; spool?: AuditSpool | undefined; deadlineMs: number }) {
    this.#store = deps.store
    this.#spool = deps.spool
    this.#deadlineMs = deps.deadlineMs
    if (this.#spool && !this.#spool.isEmpty) this.#scheduleShipping(0)
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

  /** Waits for what is on its way and stops shipping. What is still spooled is shipped after the next start. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#shipTimer)
    await this.#working
    await this.#shipping
    this.#spool?.close()
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
    if (this.#spool && !this.#spool.isEmpty) return this.#spoolAway(records, undefined)
    try {
      await this.#insert(records)
    } catch (cause) {
      await this.#spoolAway(records, cause)
    }
  }

  async #spoolAway(records: AuditRecord[], cause: unknown): Promise<void> {
    if (!this.#spool) throw new PosternError('AUDIT_UNAVAILABLE', 'The audit record could not be written', { cause })
    await this.#spool.append(records)
    this.#scheduleShipping(shipRetryMs)
  }

  async #insert(records: readonly AuditRecord[]): Promise<void> {
    const inserting = insertAuditEvents(this.#store.db, records)
    await withDeadline(inserting, this.#deadlineMs, 'STORE_UNAVAILABLE', 'The metadata store did not answer in time')
  }

  #scheduleShipping(delayMs: number): void {
    if (this.#closed || this.#shipTimer !== undefined || this.#shipping !== undefined) return
    this.#shipTimer = setTimeout(() => {
      this.#shipTimer = undefined
      this.#shipping = this.#ship().finally(() => {
        this.#shipping = undefined
        if (this.#spool && !this.#spool.isEmpty) this.#scheduleShipping(shipRetryMs)
      })
    }, delayMs)
  }

  async #ship(): Promise<void> {
    try {
      for await (const records of this.#spool?.batches(batchMax) ?? []) {
        if (this.#closed) return
        await this.#insert(records)
      }
    } catch {
      // The store is still away: what was read stays in the spool, and the next round starts with it.
    }
  }
}
