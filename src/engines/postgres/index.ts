import { PosternError } from '../../base/errors.ts'
import type { Engine, EngineSession, OpenOptions, RoleSession } from '../engine.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { openPostgresClient } from './driver.ts'
import type { InDatabase } from './drop-role.ts'
import { translatePostgresError, withPostgresErrors } from './errors.ts'
import { checkPostgresPrivileges, readServerVersion } from './introspect.ts'
import { checkPostgresRoute } from './options.ts'
import { acceptsLoginKey } from './role-login.ts'
import { postgresRoles } from './roles.ts'

/** PostgreSQL 10 and newer. */
export const postgresEngine: Engine = {
  name: 'postgres',
  checkRoute: checkPostgresRoute,
  open: openSession,
  grantStatements: () => [],
  roleLogin: { openRoleSession, acceptsLoginKey },
}

async function openSession(route: DataSourceRoute, options: OpenOptions): Promise<EngineSession> {
  const session = await openRoleSession(route, options)
  const notYet = () => {
    throw new PosternError('FEATURE_NOT_SUPPORTED', 'not there yet')
  }
  return {
    serverVersion: session.serverVersion,
    async ping() {},
    async checkPrivileges() {
      const { systemIdentifier, missingPrivileges } = await session.checkPrivileges()
      return {
        user: route.username,
        privileges: [],
        missingPrivileges,
        warnings: [],
        seenAddress: null,
        systemIdentifier,
        replicaLagSeconds: null,
      }
    },
    listDatabases: notYet,
    describe: notYet,
    query: notYet,
    close: () => session.close(),
  }
}

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
