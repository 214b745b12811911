import type { EngineName } from '../../contract/engines.ts'
import type { Engine, OpenOptions, RoleSession } from '../engine.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { adoptSession } from './adopt-session.ts'
import { openPostgresClient } from './driver.ts'
import type { InDatabase } from './drop-role.ts'
import { translatePostgresError, withPostgresErrors } from './errors.ts'
import { grantStatements } from './grants.ts'
import { checkPostgresPrivileges, readServerVersion } from './introspect.ts'
import { checkPostgresRoute } from './options.ts'
import { acceptsLoginKey } from './role-login.ts'
import { postgresRoles } from './roles.ts'
import { openPostgresSession } from './session.ts'
import { sqlRoles } from './sql-roles.ts'

function engineOf(name: EngineName): Engine {
  return {
    name,
    checkRoute: checkPostgresRoute,
    open: openPostgresSession,
    grantStatements: (purpose, names) => grantStatements(name, purpose, names),
  }
}

/** PostgreSQL 10 and newer, as it is or as a service (RDS, Aurora, Cloud SQL). */
export const postgresEngine: Engine = {
  ...engineOf('postgres'),
  roleLogin: { openRoleSession, acceptsLoginKey, adoptSession },
}
/** CockroachDB: the wire protocol and the catalogs of Postgres. */
export const cockroachdbEngine: Engine = engineOf('cockroachdb')
/** Amazon Redshift: the wire protocol of Postgres, and the catalogs of PostgreSQL 8.0. */
export const redshiftEngine: Engine = engineOf('redshift')

async function openRoleSession(route: DataSourceRoute, options: Omit<OpenOptions, 'purpose'>): Promise<RoleSession> {
  const client = await openPostgresClient(route, options)
  const inDatabase: InDatabase = async (database, work) => {
    const { onStage: _, ...quietly } = options
    const there = await openPostgresClient({ ...route, database }, quietly)
    try {
      return await work(there)
    } finally {
      await there.end()
    }
  }
  try {
    return {
      serverVersion: await readServerVersion(client),
      checkPrivileges: () => checkPostgresPrivileges(client),
      roles: postgresRoles(client, inDatabase),
      sqlRoles: sqlRoles(client),
      close: () => client.end(),
      async inTransaction(work) {
        await withPostgresErrors(client.query('begin'))
        try {
          const result = await work()
          await withPostgresErrors(client.query('commit'))
          return result
        } catch (thrown) {
          // A session that is broken has rolled back already.
          await client.query('rollback').catch(() => undefined)
          throw thrown
        }
      },
    }
  } catch (thrown) {
    await client.end()
    throw translatePostgresError(thrown)
  }
}
