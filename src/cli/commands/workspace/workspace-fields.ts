import type { Workspace } from '../../../contract/workspaces.ts'

/** What a person sees of one workspace. */
export function workspaceFields(workspace: Workspace): (readonly [string, string])[] {
  return [
    ['Name', workspace.name],
    ['Hosts', workspace.hosts.join(', ') || 'those of the node'],
    ['Gateway domain', workspace.gatewayDomain],
    ['First', workspace.first ? 'yes' : 'no'],
    ['Id', workspace.id],
  ]
}
