import type { LibpqTarget } from '../test/support/psql.ts'

/**
 * One way from a client to the upstream. All of them speak TLS to the client, with a P-256 certificate, but `unix`: the upstream's
 * Unix socket with nothing in between, which shows what client and upstream alone can do.
 */
export interface Way {
  readonly name: 'gateway' | 'direct' | 'pgbouncer' | 'stunnel' | 'unix'
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
