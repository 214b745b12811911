import type { UpstreamDependencies } from '../access/admin-session.ts'
import type { Clock } from '../base/clock.ts'
import type { HostSurroundings } from '../dialer/same-host-advice.ts'

/** What the use-cases of this folder need. */
export interface InstanceDependencies extends UpstreamDependencies {
  readonly clock: Clock
  /** The node that runs managed instances made here. */
  readonly localNodeId: string
  /** Addresses that databases see Postern come from, for their firewalls, as the operator told them. */
  readonly egressAddresses: readonly string[]
  readonly surroundings: HostSurroundings
}
