import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import { insertSqlExtension } from '../store/sql-roles.ts'
import { type UpstreamDependencies, withAdminSession } from './admin-session.ts'
import { requireAvailableInstance } from './find-instance.ts'
import { requireInstancePermission } from './instance-permissions.ts'
import { authorize } from './policy.ts'

/**
 * Makes the objects of databricks_auth in a database of an external instance, as the user of its admin data source. There is no
 * CREATE EXTENSION there: that needs files on the database's own machine. Repeating it changes nothing.
 *
 * @param database absent: the one that the admin data source names
 * @returns the database
 * @throws PosternError PERMISSION_DENIED | INSTANCE_NOT_FOUND | INSTANCE_NOT_AVAILABLE | INVALID_ARGUMENT (a managed instance; below
 *   PostgreSQL 11) | DATABASE_NOT_FOUND | UPSTREAM_*
 */
export async function installDatabricksAuth(
  deps: UpstreamDependencies,
  actor: Actor,
  instanceName: string,
  database: string | undefined,
): Promise<string> {
  authorize(actor, 'postgresRole.installExtension')
  const instance = await requireAvailableInstance(deps, actor.workspaceId, instanceName)
  await requireInstancePermission(deps, actor, instance, 'manage')
  if (instance.kind === 'managed') {
    throw new PosternError(
      'INVALID_ARGUMENT',
      `On the managed instance '${instanceName}' the extension is made in SQL`,
      {
        hint: 'Log in to the database and run CREATE EXTENSION IF NOT EXISTS databricks_auth.',
      },
    )
  }
  return withAdminSession(
    deps,
    instance,
    async ({ session, route }) => {
      const installedIn = database ?? route.database
      await session.inTransaction(async () => {
        await session.sqlRoles.install()
        await deps.store.db.transaction().execute(async (db) => {
          await insertSqlExtension(db, {
            instanceId: instance.id,
            database: installedIn,
            createdBy: actor.principalId,
          })
          await recordAudit(db, {
            ...actorAudit(actor),
            action: 'postgresRole.installExtension',
            outcome: 'allowed',
            targetType: 'instance',
            targetId: instance.id,
            targetName: instanceName,
            detail: { database: installedIn },
          })
        })
      })
      return installedIn
    },
    database,
  )
}
