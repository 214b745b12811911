import type { UpstreamDependencies } from '../access/admin-session.ts'
import type { LoginGrant } from '../access/login-grant.ts'
import type { NativeGrant } from '../access/native-grant.ts'
import type { AuditReason } from '../audit/audit-record.ts'
import type { SessionId } from '../base/ids.ts'
import type { DialOptions } from '../dialer/dial.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { TlsIdentity, Transport } from '../transport/byte-socket.ts'
import type { CancelKeys } from './cancel-keys.ts'
import type { LoginDependencies } from './login.ts'
import type { PreAuth } from './pre-auth.ts'
import type { FindWorkspaceByDomain } from './resolve-target.ts'
import type { Revocations } from './revocations.ts'
import type { Sessions } from './sessions.ts'

export interface GatewaySettings {
  readonly host: string
  readonly port: number
  readonly reusePort: boolean
  readonly loginTimeoutMs: number
  readonly maxPreAuth: number
  readonly maxSessions: number
  /** Those that are being opened included. */
  readonly maxSessionsPerPrincipal: number
  /** Folder below which the sockets of this node's managed instances are, and nothing of anybody else. */
  readonly peerSocketRoot: string
}

export interface GatewayDependencies
  extends Omit<LoginDependencies, 'strangers' | 'passwordAttempts'>, UpstreamDependencies {
  /** A neutral refusal is answered no sooner than this after the password came, so that time tells nothing. */
  readonly denialFloorMs: number
  readonly settings: GatewaySettings
  readonly transport: Transport
  readonly tls: TlsIdentity
  readonly dialOptions: DialOptions
  readonly logger: Logger
  readonly findWorkspaceByDomain: FindWorkspaceByDomain
  /** Whether what logins need was read from the store once: until then every one is refused. */
  readonly isLoaded: () => boolean
  /** Tells the other workers about a cancel key that is not ours, by its fingerprint. */
  readonly broadcastCancel: (fingerprint: string) => Promise<void>
}

/** What the stages of a session share. */
export interface GatewayContext extends GatewayDependencies, Pick<LoginDependencies, 'strangers' | 'passwordAttempts'> {
  readonly preAuth: PreAuth
  readonly sessions: Sessions
  readonly revocations: Revocations
  readonly cancelKeys: CancelKeys
  /** Cancels by fingerprint: here, or on whichever worker has the session. Unknown keys are limited by address. */
  cancel(fingerprint: string, peer: string): Promise<void>
  recordSession(
    action: 'session.start' | 'session.end',
    session: { readonly id: SessionId; readonly peer: string },
    grant: LoginGrant | NativeGrant,
    detail: Readonly<Record<string, string | number>>,
    /** Why the session did not come to be, where it did not. */
    failure?: AuditReason,
  ): void
}
