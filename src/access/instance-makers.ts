import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { PrincipalId } from '../base/ids.ts'
import type { PrincipalReference } from '../contract/postgres-roles.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import { findPrincipal } from '../identity/find-principal.ts'
import {
  deleteInstanceMaker,
  type InstanceMakerRow,
  listInstanceMakers as listInstanceMakerRows,
  putInstanceMaker,
} from '../store/instance-permissions.ts'
import type { Store } from '../store/store.ts'
import { authorize } from './policy.ts'

/** Who may create managed instances without being Workspace Admin or DBA. */
export type InstanceMaker = InstanceMakerRow

/** Who was given CAN_CREATE. @throws PosternError PERMISSION_DENIED */
export async function listInstanceMakers(
  deps: { readonly store: Store },
  actor: Actor,
  page: { readonly limit?: number; readonly after?: string | undefined } = {},
): Promise<InstanceMaker[]> {
  authorize(actor, 'instanceMaker.read')
  return listInstanceMakerRows(deps.store.db, actor.workspaceId, page)
}

/**
 * Lets a user, service principal or group create managed instances; never external ones, whose data sources are configured by
 * Workspace Admins and DBAs alone.
 * @throws PosternError PERMISSION_DENIED | NOT_FOUND
 */
export async function addInstanceMaker(
  deps: { readonly store: Store },
  actor: Actor,
  reference: PrincipalReference,
): Promise<InstanceMaker> {
  authorize(actor, 'instanceMaker.update')
  const { id, kind, name } = await findPrincipal(deps, actor.workspaceId, reference)
  await deps.store.db.transaction().execute(async (db) => {
    await putInstanceMaker(db, actor.workspaceId, id)
    await recordAudit(db, { ...entry(actor, 'instanceMaker.add', id), targetName: name })
  })
  return { principalId: id, principalKind: kind, principalName: name }
}

/** Takes CAN_CREATE away; what was created stays with its creator. @throws PosternError PERMISSION_DENIED | NOT_FOUND */
export async function removeInstanceMaker(
  deps: { readonly store: Store },
  actor: Actor,
  principalId: PrincipalId,
): Promise<void> {
  authorize(actor, 'instanceMaker.update')
  await deps.store.db.transaction().execute(async (db) => {
    if (!(await deleteInstanceMaker(db, actor.workspaceId, principalId))) {
      throw new PosternError('NOT_FOUND', `Principal ${principalId} was not given CAN_CREATE`)
    }
    await recordAudit(db, entry(actor, 'instanceMaker.remove', principalId))
  })
}

function entry(actor: Actor, action: 'instanceMaker.add' | 'instanceMaker.remove', principalId: PrincipalId) {
  return { ...actorAudit(actor), action, outcome: 'allowed', targetType: 'principal', targetId: principalId } as const
}
