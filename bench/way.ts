import type { LibpqTarget } from '../test/support/psql.ts'

/** One way from a client to the upstream. All of them speak TLS to the client, with a P-256 certificate. */
export interface Way {
  readonly name: 'gateway' | 'direct' | 'pgbouncer' | 'stunnel'
  readonly target: LibpqTarget
  /** Processes between client and upstream; none for the direct way. */
  pids(): readonly number[]
}

/** Where the upstream's Unix socket is: the folder, and the port in the name of the socket. */
export interface UnixUpstream {
  readonly folder: string
  readonly port: number
}

/** A peer that the bench runs for comparison. */
export interface RunningPeer {
  readonly way: Way
  stop(): Promise<void>
}
