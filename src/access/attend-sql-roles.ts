import { PosternError } from '../base/errors.ts'
import type { SqlRoleDirectory } from '../engines/engine.ts'
import { findInstanceById, type InstanceRow } from '../store/instances.ts'
import type { InstanceId } from '../base/ids.ts'
import { listPostgresRoleBindings } from '../store/postgres-role-bindings.ts'
import { deleteSqlExtension, listSqlIdentities, listSqlRoleInstances, SQL_ROLES_CHANNEL } from '../store/sql-roles.ts'
import type { Store } from '../store/store.ts'
import { type AdminSession, withAdminSession } from './admin-session.ts'
import { completeSqlRole, type SqlRoleDependencies } from './complete-sql-role.ts'
import { BOUND_ROLES } from './create-bound-role.ts'
import { checkPostgresRoleName } from './postgres-role-name.ts'

/** An instance on which databricks_auth may be. */
export interface AttendedInstance {
  readonly instanceId: InstanceId
  /** Where to look; undefined: wherever the extension is found. */
  readonly databases: readonly string[] | undefined
}

/** AVAILABLE instances that this node looks after: its own managed ones, and external ones where the extension was installed. */
export async function listAttendedInstances(
  deps: { readonly store: Store },
  nodeId: string,
): Promise<AttendedInstance[]> {
  const rows = await listSqlRoleInstances(deps.store.db, nodeId)
  return rows.map(({ instanceId, kind, databases }) => ({
    instanceId,
    databases: kind === 'managed' ? undefined : databases,
  }))
}

/** Hears of every change of what databases with databricks_auth are told. @returns stops listening */
export function followSqlRoleChanges(
  deps: { readonly store: Store },
  onChange: () => void,
): Promise<() => Promise<void>> {
  return deps.store.listen(SQL_ROLES_CHANNEL, onChange, onChange)
}

export interface AttendanceOptions {
  /** Changes whenever principals or bindings do. */
  readonly version: () => number
  /** Resolves when it is time for another look; false ends it. */
  readonly pause: () => Promise<boolean>
  readonly onFailure: (database: string, thrown: unknown) => void
}

/**
 * Attends to an instance in one administrator's session, until told to stop: looks, pauses, looks again. Every database in which
 * databricks_auth is new, or was told something else than `version` stands for, is told anew, and roles that wait there are bound
 * or refused.
 *
 * One database that cannot be worked in, because its owner keeps everybody out, holds up no other.
 *
 * @throws PosternError UPSTREAM_* | STORE_UNAVAILABLE; call again
 */
export async function attendInstance(
  deps: SqlRoleDependencies,
  { instanceId, databases }: AttendedInstance,
  { version, pause, onFailure }: AttendanceOptions,
): Promise<void> {
  const instance = await findInstanceById(deps.store.db, instanceId)
  if (instance?.state !== 'AVAILABLE') return
  const attended: Attended = new Map()
  await withAdminSession(deps, instance, async (admin) => {
    do await look(deps, instance, admin, attended, { databases, version: version(), onFailure })
    while (await pause())
  })
}

/** By database: what it was told, and when a failed visit may be repeated. */
type Attended = Map<string, { readonly told: string | undefined; readonly notBefore: number }>

/** A database that keeps Postern out is tried as seldom as that. */
const RETRY_MS = 15_000

async function look(
  deps: SqlRoleDependencies,
  instance: InstanceRow,
  admin: AdminSession,
  attended: Attended,
  options: Pick<AttendedInstance, 'databases'> & Pick<AttendanceOptions, 'onFailure'> & { readonly version: number },
): Promise<void> {
  for (const { database, mark, waits } of await admin.session.sqlRoles.look(options.databases)) {
    const state = `${mark}/${options.version}`
    const before = attended.get(database)
    const isTold = before?.told === state
    if ((isTold && !waits) || performance.now() < (before?.notBefore ?? 0)) continue
    try {
      await withAdminSession(deps, instance, (there) => visit(deps, instance, there, database, isTold), database)
      attended.set(database, { told: state, notBefore: 0 })
    } catch (thrown) {
      attended.set(database, { told: undefined, notBefore: performance.now() + RETRY_MS })
      options.onFailure(database, thrown)
    }
  }
}

async function visit(
  deps: SqlRoleDependencies,
  instance: InstanceRow,
  admin: AdminSession,
  database: string,
  isTold: boolean,
): Promise<void> {
  const { sqlRoles } = admin.session
  if (!(await sqlRoles.isInstalled())) {
    await deleteSqlExtension(deps.store.db, instance.id, database)
    return
  }
  if (!isTold) await sqlRoles.refresh(await readDirectory(deps, instance))
  for (const request of await sqlRoles.requests()) await completeSqlRole(deps, instance, admin, request)
}

async function readDirectory(deps: SqlRoleDependencies, instance: InstanceRow): Promise<SqlRoleDirectory> {
  const { db } = deps.store
  const identities = await listSqlIdentities(db, instance.workspaceId)
  const bindings = await listPostgresRoleBindings(db, instance.id)
  const named = identities.filter(({ name }) => mayBeRoleName(name))
  const times = new Map<string, number>()
  for (const identity of named) times.set(keyOf(identity), (times.get(keyOf(identity)) ?? 0) + 1)
  return {
    instanceId: instance.id,
    modulus: deps.sessionStatements.modulus,
    marker: instance.kind === 'managed' ? BOUND_ROLES : null,
    // Of two groups with one name nobody can say which is meant.
    identities: named
      .filter((identity) => times.get(keyOf(identity)) === 1)
      .map(({ id, kind, name }) => ({ identityType: kind.toUpperCase(), name, identityId: id })),
    boundRoles: bindings.map(({ roleOid, principalKind, principalId }) => ({
      roleOid,
      identityType: principalKind.toUpperCase(),
      identityId: principalId,
    })),
  }
}

function keyOf({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${kind}:${name}`
}

function mayBeRoleName(name: string): boolean {
  try {
    checkPostgresRoleName(name)
    return true
  } catch (thrown) {
    if (thrown instanceof PosternError) return false
    throw thrown
  }
}
