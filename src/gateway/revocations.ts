import { setTimeout as sleep } from 'node:timers/promises'
import { endUpstreamSessions, findRevokedSessions, type OpenLogin } from '../access/end-revoked-sessions.ts'
import type { UpstreamDependencies } from '../access/admin-session.ts'
import { auditRecord } from '../audit/audit-record.ts'
import type { AuditWriter } from '../audit/audit-writer.ts'
import type { SessionId } from '../base/ids.ts'
import { writeErrorResponse } from '../pgwire/error-response.ts'
import type { Logger } from '../telemetry/logger.ts'

/** A session of this worker that can be ended. */
export interface RevocableSession extends OpenLogin {
  readonly session: { readonly id: SessionId; readonly peer: string }
  /** Stops what it runs at the database, by its cancel key. */
  cancel(): Promise<void>
  terminate(lastWords: Uint8Array): void
  readonly isOpen: boolean
}

const revoked = writeErrorResponse({
  severity: 'FATAL',
  sqlstate: '57P01',
  message: 'terminating session: the access that it was opened with was taken away',
  hint: 'Ask a Workspace Admin.',
})

/** So long the database is given to end them: the client then reads its words, and nothing of ours is in between. */
const DATABASE_LIMIT_MS = 400
/** For what the database wrote to pass through the relay. */
const PASS_THROUGH_MS = 50
const RETRY_MS = 1_000

interface RevocationDependencies extends UpstreamDependencies {
  readonly audit: AuditWriter
  readonly logger: Logger
}

/**
 * Ends the sessions of this worker whose access was taken away, on instances that want that. The database ends them, through
 * the admin data source; where it cannot, or not in time, the gateway stops what runs and closes the session itself.
 */
export class Revocations {
  readonly #deps: RevocationDependencies
  readonly #sessions: () => readonly RevocableSession[]
  #isRunning = false
  #isWanted = false
  #announced = 0
  #retry: ReturnType<typeof setTimeout> | undefined

  /** @param sessions those that are open at the moment of the call */
  constructor(deps: RevocationDependencies, sessions: () => readonly RevocableSession[]) {
    this.#deps = deps
    this.#sessions = sessions
  }

  /**
   * How often access was taken away so far. A login that was decided before the latest time, and opened its session after it, was
   * not among the sessions that were looked at.
   */
  get announced(): number {
    return this.#announced
  }

  /** Access was taken away somewhere. */
  async announce(): Promise<void> {
    this.#announced += 1
    await this.check()
  }

  /** Looks again at every session. Calls while it does so make it look once more. */
  async check(): Promise<void> {
    this.#isWanted = true
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      while (this.#isWanted) {
        this.#isWanted = false
        await this.#endRevoked()
      }
    } catch (thrown) {
      this.#deps.logger.warn({ err: thrown }, 'open sessions were not checked after access was taken away')
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined
        void this.check()
      }, RETRY_MS)
    } finally {
      this.#isRunning = false
    }
  }

  close(): void {
    clearTimeout(this.#retry)
  }

  async #endRevoked(): Promise<void> {
    const sessions = await findRevokedSessions(this.#deps, this.#sessions())
    if (sessions.length === 0) return
    await Promise.all(sessions.map((session) => this.#record(session)))
    await Promise.race([
      endUpstreamSessions(this.#deps, sessions).catch((thrown: unknown) =>
        this.#deps.logger.warn({ err: thrown }, 'the database did not end sessions whose access was taken away'),
      ),
      sleep(DATABASE_LIMIT_MS),
    ])
    if (sessions.some(({ isOpen }) => isOpen)) await sleep(PASS_THROUGH_MS)
    for (const session of sessions) {
      if (!session.isOpen) continue
      session.cancel().catch(() => undefined)
      session.terminate(revoked)
    }
  }

  async #record({ grant, session }: RevocableSession): Promise<void> {
    const { workspaceId, principalId, principalName, instanceId, instanceName, roleName } = grant.fields
    const record = auditRecord({
      action: 'session.revoke',
      outcome: 'allowed',
      workspaceId,
      actorId: principalId,
      actorName: principalName,
      targetType: 'instance',
      targetId: instanceId,
      targetName: instanceName,
      sessionId: session.id,
      peer: session.peer,
      detail: { roleName },
    })
    // Access that is gone ends, whether that can be recorded or not.
    await this.#deps.audit
      .append(record)
      .catch((thrown: unknown) => this.#deps.logger.error({ err: thrown, record }, 'audit record lost'))
  }
}
