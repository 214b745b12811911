import type { PrincipalId, WorkspaceId } from '../base/ids.ts'

export type PrincipalKind = 'user' | 'service_principal' | 'group'
export type WorkspaceRole = 'admin' | 'dba' | 'member'

/** Who asks, in which workspace and with which workspace role: read fresh for every request, after its access token was verified. */
export interface Actor {
  readonly principalId: PrincipalId
  readonly kind: PrincipalKind
  /** E-mail of a user, client id of a service principal, name of a group. */
  readonly name: string
  readonly workspaceId: WorkspaceId
  readonly workspaceRole: WorkspaceRole
  readonly requestId: string
  /** Address of the caller, for the audit record. */
  readonly peer: string
}
