import { Option } from 'commander'
import { WorkspaceRole } from '../contract/service-principals.ts'

/** `--workspace-role`, with `none` for no role of its own. */
export function workspaceRoleOption(description: string): Option {
  return new Option('--workspace-role <role>', description).choices([...WorkspaceRole.options, 'none'])
}

/** The role as the API takes it: null for none, undefined where the option was not given. */
export function workspaceRoleOf(role: WorkspaceRole | 'none' | undefined): WorkspaceRole | null | undefined {
  return role === 'none' ? null : role
}

/** `--active on|off`. */
export function activeOption(description: string): Option {
  return new Option('--active <on|off>', description).choices(['on', 'off'])
}
