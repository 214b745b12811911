import type { Workspace } from '../../contract/workspaces.ts'
import type * as domain from '../../identity/workspace-directory.ts'

export function presentWorkspace({ id, name, hosts, gatewayDomain, isFirst }: domain.Workspace): Workspace {
  return { id, name, hosts: [...hosts], gatewayDomain, first: isFirst }
}
