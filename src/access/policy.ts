import { PosternError } from '../base/errors.ts'
import type { Actor, WorkspaceRole } from '../identity/actor.ts'

/**
 * Who may do what in a workspace: action × workspace role. "Only Workspace Admin or Workspace DBA role can configure database
 * instance."
 */
const POLICY = {
  'instance.create': ['admin', 'dba'],
  'instance.update': ['admin', 'dba'],
  'instance.delete': ['admin', 'dba'],
  'instance.start': ['admin', 'dba'],
  'instance.stop': ['admin', 'dba'],
  'instance.read': ['admin', 'dba', 'member'],
  'instance.test': ['admin', 'dba'],
  'instance.undelete': ['admin', 'dba'],
  'instance.purge': ['admin', 'dba'],
  'dataSource.create': ['admin', 'dba'],
  'dataSource.read': ['admin', 'dba'],
  'dataSource.update': ['admin', 'dba'],
  'dataSource.delete': ['admin', 'dba'],
  'sshKey.create': ['admin', 'dba'],
  'sshKey.read': ['admin', 'dba'],
  'sshKey.delete': ['admin', 'dba'],
  'engine.read': ['admin', 'dba', 'member'],
  'setupGuide.read': ['admin', 'dba'],
  'postgresRole.bind': ['admin', 'dba'],
  'postgresRole.repair': ['admin', 'dba'],
  'postgresRole.unbind': ['admin', 'dba'],
  'postgresRole.read': ['admin', 'dba', 'member'],
  'servicePrincipal.create': ['admin'],
  'servicePrincipal.read': ['admin', 'dba'],
  'servicePrincipal.update': ['admin'],
  'servicePrincipal.delete': ['admin'],
  'secret.create': ['admin'],
  'secret.read': ['admin'],
  'secret.delete': ['admin'],
  'key.read': ['admin'],
  'key.rotate': ['admin'],
  'masterKey.rotate': ['admin'],
  'audit.read': ['admin', 'dba'],
  'catalog.sync': ['admin', 'dba'],
  'catalog.readAll': ['admin', 'dba'],
  'catalog.readOwn': ['admin', 'dba', 'member'],
  'sql.readOnly': ['admin', 'dba'],
  'sql.admin': ['admin', 'dba'],
  'sql.asMyself': ['admin', 'dba', 'member'],
  'sql.cancelAny': ['admin', 'dba'],
  'credential.issue': ['admin', 'dba', 'member'],
} as const satisfies Record<string, readonly WorkspaceRole[]>

export type Action = keyof typeof POLICY

const roleTitle: Record<WorkspaceRole, string> = {
  admin: 'Workspace Admin',
  dba: 'Workspace DBA',
  member: 'Workspace Member',
}

/** Whether an actor may do `action`: for answers that show more to some than to others. */
export function mayDo(actor: Actor, action: Action): boolean {
  const allowed: readonly WorkspaceRole[] = POLICY[action]
  return allowed.includes(actor.workspaceRole)
}

/**
 * Stops an actor who may not do `action`.
 * @throws PosternError PERMISSION_DENIED naming the workspace roles that may
 */
export function authorize(actor: Actor, action: Action): void {
  if (mayDo(actor, action)) return
  const allowed: readonly WorkspaceRole[] = POLICY[action]
  const titles = allowed.map((role) => roleTitle[role]).join(' or ')
  throw new PosternError(
    'PERMISSION_DENIED',
    `${action} needs the role ${titles}; ${actor.name} is ${roleTitle[actor.workspaceRole]}`,
    {
      detail: { action },
    },
  )
}
