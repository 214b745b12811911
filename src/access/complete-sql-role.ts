import { recordAudit } from '../audit/record-audit.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import { newUuid } from '../base/ids.ts'
import type { SqlRoleRequest } from '../engines/engine.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import { findPrincipal } from '../identity/find-principal.ts'
import type { SessionStatements } from '../keys/session-statements.ts'
import type { InstanceRow } from '../store/instances.ts'
import { findPostgresRoleBinding } from '../store/postgres-role-bindings.ts'
import { findPrincipalById } from '../store/principals.ts'
import type { AdminSession, UpstreamDependencies } from './admin-session.ts'
import { bindRole } from './create-bound-role.ts'
import { requireInstancePermission } from './instance-permissions.ts'

export interface SqlRoleDependencies extends UpstreamDependencies {
  readonly sessionStatements: SessionStatements
}

const plain = { createDb: false, createRole: false, bypassRls: false }

/**
 * Binds a Postgres role that databricks_create_role made, or removes it. Nothing that the database says is believed: whoever
 * asked, and until when, is read from what Postern signed; the identity and the right to give it a role are read afresh.
 *
 * @param admin in the database where the request lies
 * @returns why it was refused, or undefined
 * @throws PosternError UPSTREAM_* | STORE_UNAVAILABLE: the request stays, and can be tried again
 */
export async function completeSqlRole(
  deps: SqlRoleDependencies,
  instance: InstanceRow,
  admin: AdminSession,
  request: SqlRoleRequest,
): Promise<string | undefined> {
  const { sqlRoles, roles } = admin.session
  let actor: Actor | undefined
  try {
    actor = await readRequester(deps, instance, admin, request)
    const principal = await findPrincipal(deps, instance.workspaceId, { id: request.identityId })
    if (!principal.active) throw new PosternError('PRINCIPAL_INACTIVE', `'${principal.name}' is deactivated`)
    const found = await roles.find(request.roleName)
    if (
      found?.oid !== request.roleOid ||
      principal.name !== request.roleName ||
      typeOf(principal) !== request.identityType
    ) {
      throw new PosternError('ROLE_DRIFTED', `Postgres role '${request.roleName}' is not the one that was asked for`)
    }
    await requireInstancePermission(deps, actor, instance, principal.id === actor.principalId ? 'use' : 'manage')
    if ((await findPostgresRoleBinding(deps.store.db, instance.id, request.roleName)) !== undefined) {
      throw new PosternError('ALREADY_EXISTS', `Postgres role '${request.roleName}' is bound already`)
    }
    const spec = { roleName: request.roleName, attributes: plain, administrator: false }
    await bindRole(deps, instance, admin, principal, spec, actorAudit(actor), async (verifier) => {
      // Whoever takes the request holds its row: two nodes never complete one together.
      if (!(await sqlRoles.take(request))) throw new TakenByAnother()
      // Before PostgreSQL 16 whoever has CREATEROLE may have changed it meanwhile.
      await roles.restoreAttributes(request.roleName, found, plain)
      if (verifier !== null) await roles.setPasswordVerifier(request.roleName, verifier)
      return request.roleOid
    })
    return undefined
  } catch (thrown) {
    if (thrown instanceof TakenByAnother) return undefined
    const error = asPosternError(thrown)
    if (error.row.kind !== 'denied' && error.row.kind !== 'caller') throw thrown
    await refuse(deps, instance, admin, request, actor, error)
    return error.message
  }
}

class TakenByAnother extends Error {}

/** Who held the credential of the session, as he is now. */
async function readRequester(
  deps: SqlRoleDependencies,
  instance: InstanceRow,
  admin: AdminSession,
  { sessionStatement, requestedAt }: SqlRoleRequest,
): Promise<Actor> {
  const statement = deps.sessionStatements.verify(sessionStatement)
  if (
    statement === undefined ||
    statement.instanceId !== instance.id ||
    statement.systemIdentifier !== admin.systemIdentifier
  ) {
    throw new PosternError(
      'PERMISSION_DENIED',
      'the session was not opened with a database credential of this instance',
    )
  }
  if (statement.expiresAt <= requestedAt) {
    throw new PosternError('PERMISSION_DENIED', 'the database credential of the session had expired')
  }
  const row = await findPrincipalById(deps.store.pool, instance.workspaceId, statement.principalId)
  if (row === undefined || !row.active || row.workspaceRole === null) {
    throw new PosternError('PERMISSION_DENIED', 'whoever asked for it is no active principal of the workspace any more')
  }
  return {
    principalId: row.id,
    kind: row.kind,
    name: row.name,
    workspaceId: instance.workspaceId,
    workspaceRole: row.workspaceRole,
    requestId: newUuid(),
    peer: 'databricks_create_role',
  }
}

function typeOf({ kind }: { readonly kind: string }): string {
  return kind.toUpperCase()
}

/** Nobody can log in as an unbound role; it goes all the same, so that its name is free again. What we signed nothing for stays. */
async function refuse(
  deps: SqlRoleDependencies,
  instance: InstanceRow,
  admin: AdminSession,
  request: SqlRoleRequest,
  actor: Actor | undefined,
  error: PosternError,
): Promise<void> {
  const { sqlRoles, roles } = admin.session
  const who =
    actor === undefined ? { workspaceId: instance.workspaceId, peer: 'databricks_create_role' } : actorAudit(actor)
  await recordAudit(deps.store.db, {
    ...who,
    action: 'postgresRole.bind',
    outcome: 'denied',
    reason: error.code,
    targetType: 'postgres_role',
    targetName: request.roleName,
    detail: { instance: instance.name, roleOid: request.roleOid, identityId: request.identityId },
  })
  await sqlRoles.refuse(request, error.message)
  if (deps.sessionStatements.verify(request.sessionStatement) === undefined) return
  const found = await roles.find(request.roleName)
  const bound = await findPostgresRoleBinding(deps.store.db, instance.id, request.roleName)
  if (found?.oid !== request.roleOid || bound?.roleOid === request.roleOid) return
  try {
    await roles.drop(request.roleName, found, undefined)
  } catch (thrown) {
    const why = asPosternError(thrown).message
    await sqlRoles.refuse(request, `${error.message}; the role could not be dropped: ${why}`)
  }
}
