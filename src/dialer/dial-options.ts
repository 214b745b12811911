import type { Transport } from '../transport/byte-socket.ts'
import type { AddressRules } from './address-rules.ts'
import type { CloudLogins } from './cloud-logins.ts'
import type { DataSourceSecrets } from './data-source-secrets.ts'
import type { SecretReferences } from './secret-references.ts'
import type { SshStage, SshTunnels } from './ssh-tunnels.ts'

/** The stages of every dial, in order; a route passes those that it has. */
export type DialStage = 'name' | 'tcp' | SshStage | 'tls'

/** What dialing needs from whoever composes the process. */
export interface DialerDependencies {
  readonly transport: Transport
  readonly addressRules: AddressRules
  readonly tunnels: SshTunnels
  readonly secretReferences: SecretReferences
  readonly cloudLogins: CloudLogins
  /** Folders that `tlsFiles` of a route may lie in; empty: none. Absolute paths. */
  readonly tlsFileFolders: readonly string[]
  /** Google Cloud projects that the identity of this machine may be used for; absent or empty: none. */
  readonly ambientGoogleProjects?: readonly string[]
}

export interface DialOptions extends DialerDependencies {
  /** The way may need some of them: the key of a client certificate, SSH. */
  readonly secrets: DataSourceSecrets
  /** For everything together: name, socket and TLS. */
  readonly timeoutMs: number
  /** Gives the attempt up: CANCELLED. What was opened is closed. */
  readonly signal?: AbortSignal | undefined
  /** Told as each stage is done; the connection test measures with it. */
  readonly onStage?: DialStageListener | undefined
}

export type DialStageListener = (
  stage: DialStage,
  detail?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>,
) => void

/** The options of a later part of the same dial: what is left of the time. */
export function withTimeLeft<T extends DialOptions>(options: T, deadlineAt: number): T {
  return { ...options, timeoutMs: Math.max(1, deadlineAt - performance.now()) }
}
