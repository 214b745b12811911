import type { UpstreamDependencies } from '../access/admin-session.ts'

/** What the use-cases of this folder need. */
export interface InstanceDependencies extends UpstreamDependencies {
  /** The node that runs managed instances made here. */
  readonly localNodeId: string
}
