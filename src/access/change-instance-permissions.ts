import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { PrincipalId } from '../base/ids.ts'
import type { PrincipalReference } from '../contract/postgres-roles.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import { findPrincipal, type Principal } from '../identity/find-principal.ts'
import {
  deleteInstancePermission,
  type GrantedLevel,
  type InstanceMakerRow,
  type InstancePermissionRow,
  listInstanceMakers,
  listInstancePermissions,
  putInstancePermission,
} from '../store/instance-permissions.ts'
import { findInstance, type InstanceRow } from '../store/instances.ts'
import { findPrincipals } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import { requireInstance } from './find-instance.ts'
import { LEVEL_NAME, requireInstancePermission } from './instance-permissions.ts'

/** A grant on an instance. */
export type GrantedPermission = InstancePermissionRow

/** Everybody who may do something with an instance without being Workspace Admin or DBA. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND */
export async function readAccessControl(
  deps: { readonly store: Store },
  actor: Actor,
  instanceName: string,
): Promise<{
  /** Undefined where he was deleted. */
  readonly creator: InstanceMakerRow | undefined
  readonly permissions: readonly GrantedPermission[]
  readonly makers: readonly InstanceMakerRow[]
}> {
  const { instance, permissions } = await readInstancePermissions(deps, actor, instanceName)
  const { creatorId, workspaceId } = instance
  const [creator] = creatorId === null ? [] : await findPrincipals(deps.store.db, workspaceId, { id: creatorId })
  return {
    creator: creator && { principalId: creator.id, principalKind: creator.kind, principalName: creator.name },
    permissions,
    makers: await listInstanceMakers(deps.store.db, workspaceId),
  }
}

/** Grants on an instance; not those who manage it as its creator or by their workspace role. All of them without `page`. */
export async function readInstancePermissions(
  deps: { readonly store: Store },
  actor: Actor,
  instanceName: string,
  page: { readonly limit?: number; readonly after?: string | undefined } = {},
): Promise<{ readonly instance: InstanceRow; readonly permissions: readonly GrantedPermission[] }> {
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  await requireInstancePermission(deps, actor, instance, 'manage')
  return { instance, permissions: await listInstancePermissions(deps.store.db, instance.id, page) }
}

/**
 * Grants levels on an instance, all of them or none; each in place of the one that its principal had.
 *
 * @param options.replace also revokes what is not among them
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND (principal) | INVALID_ARGUMENT
 */
export async function grantInstancePermissions(
  deps: { readonly store: Store },
  actor: Actor,
  instanceName: string,
  grants: readonly { readonly principal: PrincipalReference; readonly level: GrantedLevel }[],
  options: { readonly replace: boolean } = { replace: false },
): Promise<void> {
  const { id } = await requireManaged(deps, actor, instanceName)
  const wanted = new Map<PrincipalId, { readonly principal: Principal; readonly level: GrantedLevel }>()
  for (const { principal: reference, level } of grants) {
    const principal = await findPrincipal(deps, actor.workspaceId, reference)
    if (wanted.has(principal.id)) {
      throw new PosternError('INVALID_ARGUMENT', `'${principal.name}' is named more than once`)
    }
    wanted.set(principal.id, { principal, level })
  }
  await deps.store.db.transaction().execute(async (db) => {
    const instance = await findInstance(db, actor.workspaceId, instanceName, { forUpdate: true })
    if (instance?.id !== id) throw new PosternError('INSTANCE_NOT_FOUND', `Instance '${instanceName}' is gone`)
    const before = new Map((await listInstancePermissions(db, id)).map((row) => [row.principalId, row]))
    for (const { principal, level } of wanted.values()) {
      if (before.get(principal.id)?.level === level) continue
      await putInstancePermission(db, id, principal.id, level)
      await recordAudit(db, permissionAudit(actor, 'instancePermission.grant', instance, principal, level))
    }
    if (!options.replace) return
    for (const row of before.values()) {
      if (wanted.has(row.principalId)) continue
      await deleteInstancePermission(db, id, row.principalId)
      const principal = { id: row.principalId, name: row.principalName }
      await recordAudit(db, permissionAudit(actor, 'instancePermission.revoke', instance, principal, row.level))
    }
  })
}

/** Takes the grant of one principal away. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND */
export async function revokeInstancePermission(
  deps: { readonly store: Store },
  actor: Actor,
  instanceName: string,
  principalId: PrincipalId,
): Promise<void> {
  const instance = await requireManaged(deps, actor, instanceName)
  const granted = await listInstancePermissions(deps.store.db, instance.id)
  const row = granted.find((grant) => grant.principalId === principalId)
  await deps.store.db.transaction().execute(async (db) => {
    const isRevoked = row !== undefined && (await deleteInstancePermission(db, instance.id, principalId))
    if (!isRevoked) {
      throw new PosternError('NOT_FOUND', `Principal ${principalId} was granted nothing on instance '${instanceName}'`)
    }
    const principal = { id: principalId, name: row.principalName }
    await recordAudit(db, permissionAudit(actor, 'instancePermission.revoke', instance, principal, row.level))
  })
}

async function requireManaged(
  deps: { readonly store: Store },
  actor: Actor,
  instanceName: string,
): Promise<InstanceRow> {
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  await requireInstancePermission(deps, actor, instance, 'manage')
  return instance
}

function permissionAudit(
  actor: Actor,
  action: 'instancePermission.grant' | 'instancePermission.revoke',
  instance: Pick<InstanceRow, 'id' | 'name'>,
  principal: Pick<Principal, 'id' | 'name'>,
  level: GrantedLevel,
) {
  return {
    ...actorAudit(actor),
    action,
    outcome: 'allowed',
    targetType: 'instance',
    targetId: instance.id,
    targetName: instance.name,
    detail: { principalId: principal.id, principal: principal.name, level: LEVEL_NAME[level] },
  } as const
}
