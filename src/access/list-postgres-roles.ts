import { PosternError } from '../base/errors.ts'
import type { Actor } from '../identity/actor.ts'
import type { InstanceRow } from '../store/instances.ts'
import {
  findPostgresRoleBinding,
  listPostgresRoleBindings,
  type PostgresRoleBindingRow,
} from '../store/postgres-role-bindings.ts'
import type { Store } from '../store/store.ts'
import { requireInstance } from './find-instance.ts'
import { authorize } from './policy.ts'

/** A Postgres role on an instance and the principal that it was made for. */
export type BoundPostgresRole = PostgresRoleBindingRow

/** Bound Postgres roles of an instance in the order of their names, at most `limit`, those after the name `after`. */
export async function listPostgresRoles(
  deps: { readonly store: Store },
  actor: Actor,
  instanceName: string,
  page: { readonly limit: number; readonly after?: string | undefined },
): Promise<BoundPostgresRole[]> {
  authorize(actor, 'postgresRole.read')
  const instance = await requireInstance(deps, actor.workspaceId, instanceName)
  return listPostgresRoleBindings(deps.store.db, instance.id, page)
}

/** One bound Postgres role. @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | NOT_FOUND */
export async function getPostgresRole(
  deps: { readonly store: Store },
  actor: Actor,
  instanceName: string,
  roleName: string,
): Promise<BoundPostgresRole> {
  authorize(actor, 'postgresRole.read')
  return requirePostgresRole(deps, await requireInstance(deps, actor.workspaceId, instanceName), roleName)
}

/** The binding of that role name. @throws PosternError NOT_FOUND */
export async function requirePostgresRole(
  deps: { readonly store: Store },
  instance: InstanceRow,
  roleName: string,
): Promise<BoundPostgresRole> {
  const binding = await findPostgresRoleBinding(deps.store.db, instance.id, roleName)
  if (binding) return binding
  throw new PosternError('NOT_FOUND', `No Postgres role '${roleName}' is bound on instance '${instance.name}'`)
}
