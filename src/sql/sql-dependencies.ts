import type { LoginFactsReader } from '../access/login-facts-reader.ts'
import type { AuditWriter } from '../audit/audit-writer.ts'
import type { Clock } from '../base/clock.ts'
import type { OpenSession } from '../catalog/catalog-dependencies.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import type { SessionStatements } from '../keys/session-statements.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import type { Store } from '../store/store.ts'
import type { RunningExecutions } from './running-executions.ts'

/** How much one statement may take: what it gets where nothing is said, and what may be asked for at most. */
export interface SqlLimits {
  readonly defaultRows: number
  readonly maxRows: number
  readonly defaultBytes: number
  readonly maxBytes: number
  readonly defaultTimeoutSeconds: number
  readonly maxTimeoutSeconds: number
}

/** What running SQL needs. */
export interface SqlDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly masterKey: MasterKey
  readonly signingKeys: SigningKeys
  readonly audit: AuditWriter
  readonly sessionStatements: SessionStatements
  readonly dialer: DialerDependencies
  readonly openSession: OpenSession
  /** For SQL as oneself: the same decision as at the gateway, on the same facts. */
  readonly loginFacts: LoginFactsReader
  /** Folder below which the sockets of this node's managed instances are. */
  readonly peerSocketRoot: string
  readonly sqlLimits: SqlLimits
  readonly logger: { error(fields: object, text: string): void }
  readonly sqlRunning: RunningExecutions
}
