import { PosternError } from '../base/errors.ts'
import type { Actor, WorkspaceRole } from '../identity/actor.ts'

const admins = ['admin'] as const
const adminsAndDbas = ['admin', 'dba'] as const
const everybody = ['admin', 'dba', 'member'] as const

/** One action: what it lets somebody do, who may, and what the documents say of it. */
interface PolicyRow {
  /** Continues "may": `create a user`. */
  readonly does: string
  readonly roles: readonly WorkspaceRole[]
  /** What else is asked for or is enough, and is decided where the action is done: `CAN_MANAGE on the instance is enough`. */
  readonly also?: string
  /** The sentence of a document that the row follows, word for word. */
  readonly source?: string
}

const MANAGED_BY_MANAGERS = 'for a managed one CAN_MANAGE on the instance is enough'
const CONFIGURE = 'Only Workspace Admin or Workspace DBA role can configure database instance.'

/**
 * Who may do what in a workspace: action × workspace role. docs/reference/permissions.md is this table. To add an action: a row in
 * the group of its resource, `npm run generate`, and a row for its route in test/journeys/routes/route-table.ts.
 */
export const POLICY = {
  'instance.create': {
    does: 'register an external instance, or have a managed one made',
    roles: adminsAndDbas,
    also: 'for a managed one CAN_CREATE is enough',
    source: CONFIGURE,
  },
  'instance.update': {
    does: 'change the settings of an instance',
    roles: adminsAndDbas,
    also: MANAGED_BY_MANAGERS,
    source: CONFIGURE,
  },
  'instance.delete': {
    does: 'delete an instance',
    roles: adminsAndDbas,
    also: MANAGED_BY_MANAGERS,
    source: CONFIGURE,
  },
  'instance.start': { does: 'start a managed instance', roles: adminsAndDbas, also: MANAGED_BY_MANAGERS },
  'instance.stop': { does: 'stop a managed instance', roles: adminsAndDbas, also: MANAGED_BY_MANAGERS },
  'instancePermission.read': {
    does: 'see who has which permission on an instance',
    roles: adminsAndDbas,
    also: 'CAN_MANAGE on the instance is enough',
  },
  'instancePermission.update': {
    does: 'grant and revoke permissions on an instance',
    roles: adminsAndDbas,
    also: 'CAN_MANAGE on the instance is enough',
  },
  'instanceMaker.read': { does: 'see who has CAN_CREATE', roles: adminsAndDbas },
  'instanceMaker.update': { does: 'let others create managed instances (CAN_CREATE)', roles: admins },
  'instance.read': { does: 'see the instances: name, state, engine, labels', roles: everybody },
  'instance.test': { does: 'test a connection before it is saved', roles: adminsAndDbas },
  'instance.undelete': { does: 'bring a deleted instance back', roles: adminsAndDbas },
  'instance.purge': { does: 'delete an instance for good', roles: adminsAndDbas },
  'dataSource.create': { does: 'add a read-only data source', roles: adminsAndDbas, source: CONFIGURE },
  'dataSource.read': { does: 'see hosts, users and TLS settings of data sources', roles: adminsAndDbas },
  'dataSource.update': { does: 'change a data source', roles: adminsAndDbas, source: CONFIGURE },
  'dataSource.delete': { does: 'remove a data source', roles: adminsAndDbas, source: CONFIGURE },
  'sshKey.create': { does: 'make a key pair for SSH', roles: adminsAndDbas },
  'sshKey.read': { does: 'see the public keys for SSH', roles: adminsAndDbas },
  'sshKey.delete': { does: 'delete a key pair for SSH', roles: adminsAndDbas },
  'engine.read': { does: 'see which engines there are and what they take', roles: everybody },
  'setupGuide.read': { does: 'read how to prepare a secret manager or a cloud', roles: adminsAndDbas },
  'postgresRole.bind': {
    does: 'give a principal a Postgres role on an instance',
    roles: everybody,
    also: 'CAN_MANAGE on the instance; CAN_USE for a role without attributes for oneself, under one’s own name',
  },
  'postgresRole.update': {
    does: 'change the attributes of a Postgres role, or make it an administrators’ one',
    roles: everybody,
    also: 'CAN_MANAGE on the instance',
  },
  'postgresRole.repair': {
    does: 'repair a Postgres role that was changed at the instance',
    roles: everybody,
    also: 'CAN_MANAGE on the instance',
  },
  'postgresRole.unbind': { does: 'take a Postgres role away', roles: everybody, also: 'CAN_MANAGE on the instance' },
  'postgresRole.installExtension': {
    does: 'install databricks_auth in a database of an external instance',
    roles: everybody,
    also: 'CAN_MANAGE on the instance',
  },
  'postgresRole.read': { does: 'see who has which Postgres role', roles: everybody },
  'user.create': { does: 'create a user', roles: admins },
  'user.read': { does: 'see the users', roles: adminsAndDbas },
  'user.update': {
    does: 'change, activate or deactivate a user',
    roles: admins,
    also: 'the user is one of this workspace',
  },
  'user.resetPassword': {
    does: 'set or reset the password of a user',
    roles: admins,
    also: 'the user is one of this workspace',
  },
  'user.changeOwnPassword': { does: 'change one’s own password', roles: everybody, also: 'with the old one' },
  'user.delete': { does: 'delete a user', roles: admins, also: 'the user is one of this workspace' },
  'group.create': { does: 'create a group', roles: admins },
  'group.read': { does: 'see the groups and their members', roles: adminsAndDbas },
  'group.update': {
    does: 'rename, activate or deactivate a group, add and remove members',
    roles: admins,
    also: 'the group is one of this workspace',
  },
  'group.delete': { does: 'delete a group', roles: admins, also: 'the group is one of this workspace' },
  'workspaceAssignment.create': {
    does: 'assign a user, service principal or group to the workspace, with a workspace role',
    roles: admins,
    source:
      'Only groups assigned to the Databricks workspace of the database instance are supported for group-based Postgres login.',
  },
  'workspaceAssignment.read': { does: 'see who is assigned to the workspace', roles: adminsAndDbas },
  'workspaceAssignment.delete': { does: 'take somebody out of the workspace', roles: admins },
  'workspace.create': { does: 'create a workspace', roles: admins, also: 'in the first workspace of the deployment' },
  'workspace.read': { does: 'see the workspace, in the first one all of them', roles: everybody },
  'workspace.update': {
    does: 'change name, hosts and gateway domain of a workspace',
    roles: admins,
    also: 'in the first workspace of the deployment',
  },
  'servicePrincipal.create': { does: 'create a service principal', roles: admins },
  'servicePrincipal.read': { does: 'see the service principals', roles: adminsAndDbas },
  'servicePrincipal.update': { does: 'change, activate or deactivate a service principal', roles: admins },
  'servicePrincipal.delete': { does: 'delete a service principal', roles: admins },
  'secret.create': { does: 'create a secret of a service principal', roles: admins },
  'secret.read': { does: 'see which secrets a service principal has, never their values', roles: admins },
  'secret.delete': { does: 'delete a secret of a service principal', roles: admins },
  'federationPolicy.create': { does: "let another issuer's tokens stand for a service principal", roles: admins },
  'federationPolicy.read': { does: 'see the federation policies of a service principal', roles: admins },
  'federationPolicy.delete': { does: 'delete a federation policy of a service principal', roles: admins },
  'ssoProvider.create': { does: 'let people sign in through an identity provider', roles: admins },
  'ssoProvider.read': { does: 'see the SSO providers, never their secrets', roles: admins },
  'ssoProvider.update': { does: 'change an SSO provider', roles: admins },
  'ssoProvider.delete': { does: 'delete an SSO provider', roles: admins },
  'key.read': { does: 'see the signing keys, never their private halves', roles: admins },
  'key.rotate': { does: 'rotate the signing keys', roles: admins },
  'masterKey.rotate': { does: 'exchange the master key', roles: admins },
  'audit.read': { does: 'read the audit records', roles: adminsAndDbas },
  'catalog.sync': { does: 'have the catalogue read again', roles: adminsAndDbas },
  'catalog.readAll': { does: 'see the whole catalogue', roles: adminsAndDbas },
  'catalog.readOwn': { does: 'see the catalogue of instances on which one has a Postgres role', roles: everybody },
  'sql.readOnly': { does: 'run SQL with a read-only data source', roles: adminsAndDbas },
  'sql.admin': { does: 'run SQL with the admin data source', roles: adminsAndDbas },
  'sql.asMyself': { does: 'run SQL with a Postgres role of one’s own', roles: everybody },
  'sql.cancelAny': { does: 'end SQL that somebody else runs', roles: adminsAndDbas },
  'credential.issue': {
    does: 'get a database credential, for instances on which one has a Postgres role',
    roles: everybody,
  },
} as const satisfies Record<string, PolicyRow>

export type Action = keyof typeof POLICY

const roleTitle: Record<WorkspaceRole, string> = {
  admin: 'Workspace Admin',
  dba: 'Workspace DBA',
  member: 'Workspace Member',
}

/** Whether an actor may do `action`: for answers that show more to some than to others. */
export function mayDo(actor: Actor, action: Action): boolean {
  const allowed: readonly WorkspaceRole[] = POLICY[action].roles
  return allowed.includes(actor.workspaceRole)
}

/**
 * Stops an actor who may not do `action`.
 * @throws PosternError PERMISSION_DENIED naming the workspace roles that may
 */
export function authorize(actor: Actor, action: Action): void {
  if (mayDo(actor, action)) return
  const allowed: readonly WorkspaceRole[] = POLICY[action].roles
  const titles = allowed.map((role) => roleTitle[role]).join(' or ')
  throw new PosternError(
    'PERMISSION_DENIED',
    `${action} needs the role ${titles}; ${actor.name} is ${roleTitle[actor.workspaceRole]}`,
    {
      detail: { action },
    },
  )
}
