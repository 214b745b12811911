import type { ErrorCode } from '../base/errors.ts'
import type { Config } from '../config/parse-config.ts'
import type { TunnelOrder, TunnelTicket } from '../dialer/ssh/tunnel-messages.ts'
import type { Figures } from '../telemetry/metrics.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'

export type ChildRole = ServingRole | 'tunnels'

/** The roles that serve people, and so know the store and the master key. */
export type ServingRole = 'control' | 'gateway'

/** The options as they go to a child: what is secret travels beside them, and ports are decided. */
export type ChildConfig = Omit<Config, 'storeUrl' | 'masterKey' | 'otherMasterKey' | 'readyFile'>

/** The unprivileged user that a child of a root supervisor becomes. */
export interface ChildUser {
  readonly uid: number
  readonly gid: number
}

/** What every child gets to know. */
export interface CommonBootstrap {
  readonly type: 'bootstrap'
  readonly config: ChildConfig
  readonly user: ChildUser | undefined
}

/** The first message to the tunnels: they get no key and no store, only what each order brings. */
export interface TunnelsBootstrap extends CommonBootstrap {
  /** Where they listen: a folder of theirs alone. */
  readonly socketFolder: string
}

/**
 * The first message to a child that serves people, over the inherited IPC channel only: never in its arguments, environment or a file. The
 * secrets are plain text here, because the channel carries JSON.
 */
export interface ChildBootstrap extends CommonBootstrap {
  readonly storeUrl: string
  readonly masterKey: string
  /** Keys that open what was sealed before an exchange. */
  readonly otherMasterKeys: readonly string[]
  /** Variables of the operator's environment that secret references may use. */
  readonly secretEnvironment: Readonly<Record<string, string>>
  readonly nodeId: string
  /** Folder below which this node's Unix sockets are. */
  readonly socketRoot: string
  /** 1 for the control plane, 1 to gatewayWorkers for the workers. */
  readonly worker: number
  /** What the gateway presents; the control plane gets no private key. */
  readonly tls: TlsIdentity | undefined
  /** PEM of what clients of the gateway trust. */
  readonly gatewayCaPem: string
}

/** Asks for a way through SSH. It goes from who needs it to the supervisor and from there to the tunnels. */
export interface TunnelOrderMessage {
  readonly type: 'tunnel-order'
  /** Of the sender, and never that of another one, not even of the process before it; the answer has it too. */
  readonly id: string
  readonly order: TunnelOrder
}

export interface TunnelAnswerMessage {
  readonly type: 'tunnel-answer'
  readonly id: string
  /** Undefined: there are no tunnels to be had. */
  readonly ticket: TunnelTicket | undefined
}

/** The keys from now on; a child that has them says so. */
export interface MasterKeysMessage {
  readonly type: 'master-keys'
  readonly id: number
  readonly current: string
  readonly others: readonly string[]
}

/** Asks the supervisor to exchange the master key. */
export interface RotateMasterKeyMessage {
  readonly type: 'rotate-master-key'
  readonly id: number
}

export interface MasterKeyRotatedMessage {
  readonly type: 'master-key-rotated'
  readonly id: number
  readonly outcome:
    | { readonly resealed: number; readonly unreadable: number }
    | { readonly code: ErrorCode; readonly message: string; readonly hint?: string | undefined }
}

/** What a process has measured. */
export interface FiguresMessage {
  readonly type: 'figures'
  readonly id: number
  readonly figures: Figures
}

/** What all processes have measured that answered in time. */
export interface AllFiguresMessage {
  readonly type: 'all-figures'
  readonly id: number
  readonly ofProcesses: readonly Figures[]
}

export type MessageToChild =
  | ChildBootstrap
  | TunnelsBootstrap
  | TunnelOrderMessage
  | TunnelAnswerMessage
  | MasterKeysMessage
  | MasterKeyRotatedMessage
  | AllFiguresMessage
  | { readonly type: 'figures-asked'; readonly id: number }
  | { readonly type: 'drain'; readonly timeoutMs: number }
  | { readonly type: 'tls'; readonly identity: TlsIdentity | undefined; readonly gatewayCaPem: string }

export type MessageFromChild =
  | TunnelOrderMessage
  | TunnelAnswerMessage
  | RotateMasterKeyMessage
  | FiguresMessage
  /** The control plane asks for what all processes have measured. */
  | { readonly type: 'all-figures-asked'; readonly id: number }
  /** It seals and opens with the keys of the message of this id. */
  | { readonly type: 'master-keys-known'; readonly id: number }
  /** Its code is loaded and it waits for the bootstrap. */
  | { readonly type: 'loaded' }
  | { readonly type: 'ready'; readonly port: number }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly hint?: string }
