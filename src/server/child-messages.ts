import type { ErrorCode } from '../base/errors.ts'
import type { Config } from '../config/parse-config.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'

export type ChildRole = 'control' | 'gateway'

/** The options as they go to a child: what is secret travels beside them, and ports are decided. */
export type ChildConfig = Omit<Config, 'storeUrl' | 'masterKey' | 'readyFile'>

/** The unprivileged user that a child of a root supervisor becomes. */
export interface ChildUser {
  readonly uid: number
  readonly gid: number
}

/**
 * The first message to a child, over the inherited IPC channel only: never in its arguments, environment or a file. The
 * secrets are plain text here, because the channel carries JSON.
 */
export interface ChildBootstrap {
  readonly type: 'bootstrap'
  readonly config: ChildConfig
  readonly storeUrl: string
  readonly masterKey: string
  readonly nodeId: string
  /** Folder below which this node's Unix sockets are. */
  readonly socketRoot: string
  /** 1 for the control plane, 1 to gatewayWorkers for the workers. */
  readonly worker: number
  readonly user: ChildUser | undefined
  /** What the gateway presents; the control plane gets no private key. */
  readonly tls: TlsIdentity | undefined
  /** PEM of what clients of the gateway trust. */
  readonly gatewayCaPem: string
}

export type MessageToChild =
  | ChildBootstrap
  | { readonly type: 'drain'; readonly timeoutMs: number }
  | { readonly type: 'tls'; readonly identity: TlsIdentity | undefined; readonly gatewayCaPem: string }

export type MessageFromChild =
  /** Its code is loaded and it waits for the bootstrap. */
  | { readonly type: 'loaded' }
  | { readonly type: 'ready'; readonly port: number }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly hint?: string }
