import { PosternError } from '../base/errors.ts'
import type { ConnectedSocket } from '../transport/byte-socket.ts'
import type { SshHop } from './data-source-route.ts'
import type { DataSourceSecrets } from './data-source-secrets.ts'

/** Stages of passing SSH servers, in order; each means that all hops have passed it. */
export type SshStage = 'ssh_handshake' | 'ssh_host_key' | 'ssh_login' | 'ssh_forward'

export interface TunnelRequest {
  readonly hops: readonly SshHop[]
  readonly secrets: DataSourceSecrets
  /** The database as the last hop sees it: its name is resolved there. */
  readonly target: { readonly host: string; readonly port: number }
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /**
   * `name` and `tcp` are about the first SSH server. A way through several tells the stages of the last one, or of the one that
   * failed; a tunnel that is open already tells all of them at once.
   */
  readonly onStage?: (
    stage: 'name' | 'tcp' | SshStage,
    detail?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>,
  ) => void
}

/** Ways through SSH servers. All sessions with the same hops and secrets share one tunnel. */
export interface SshTunnels {
  /**
   * A stream to the target, as if dialled from the last hop. Opens the tunnel if there is none.
   * @throws PosternError UPSTREAM_SSH_* | UPSTREAM_NAME_UNKNOWN | UPSTREAM_ADDRESS_REFUSED | UPSTREAM_UNREACHABLE
   */
  connect(request: TunnelRequest): Promise<ConnectedSocket>
}

/** For a process that reaches databases without any tunnel: a route with SSH hops is refused. */
export const noTunnels: SshTunnels = {
  connect: () =>
    Promise.reject(new PosternError('UPSTREAM_UNREACHABLE', 'this process has no way through SSH servers')),
}
