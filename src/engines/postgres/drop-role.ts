import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import type { UpstreamRole } from '../engine.ts'
import { sqlstateOf, withPostgresErrors } from './errors.ts'

const { escapeIdentifier: quoteName } = pg

/** Runs `work` in a session of the same user on another database of the server. */
export type InDatabase = <T>(database: string, work: (client: pg.Client) => Promise<T>) => Promise<T>

/**
 * Ends the role's sessions and drops it. Postgres drops no role that owns something or was granted something, and both may be
 * in any database of the cluster; so each of those databases is visited.
 *
 * Not one transaction, since it spans databases: a failure leaves the role in place, without LOGIN, and a second try goes on.
 *
 * @throws PosternError IN_USE when the role owns something and `reassignOwnedTo` is undefined, or holds privileges that others
 *   granted: only they or a superuser can take those back. In the second case the role can no longer log in.
 */
export async function dropPostgresRole(
  client: pg.Client,
  inDatabase: InDatabase,
  roleName: string,
  found: UpstreamRole,
  reassignOwnedTo: string | undefined,
): Promise<void> {
  const role = quoteName(roleName)
  const dependencies = await readDependencies(client, found.oid)
  const owning = dependencies.filter(({ owned }) => owned > 0)
  if (owning.length > 0 && reassignOwnedTo === undefined) throw ownsObjects(roleName, owning)

  const self = await currentUser(client)
  const adminOption = `GRANT ${role} TO ${quoteName(self.name)} WITH ADMIN OPTION`
  await withPostgresErrors(client.query(`alter role ${role} nologin`), adminOption)
  // To act on the role's objects and sessions its privileges are needed; a superuser has them.
  if (!self.isSuperuser) await withPostgresErrors(client.query(`grant ${role} to current_user`), adminOption)
  await withPostgresErrors(
    client.query('select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where usesysid = $1', [
      found.oid,
    ]),
  )
  const heir = quoteName(reassignOwnedTo ?? self.name)
  for (const { database } of dependencies) {
    // What an old session made since the count goes to the session's user and is not lost.
    await inDatabase(database ?? self.database, async (there) => {
      await withPostgresErrors(there.query(`reassign owned by ${role} to ${heir}`))
      await withPostgresErrors(there.query(`drop owned by ${role}`))
    })
  }
  try {
    await withPostgresErrors(client.query(`drop role ${role}`), adminOption)
  } catch (thrown) {
    if (!(thrown instanceof PosternError) || sqlstateOf(thrown.cause) !== DEPENDENT_OBJECTS_STILL_EXIST) throw thrown
    throw heldByGrants(roleName, await readDependencies(client, found.oid), thrown)
  }
}

/** dependent_objects_still_exist (PostgreSQL appendix A). */
const DEPENDENT_OBJECTS_STILL_EXIST = '2BP01'

interface Dependency {
  /** Null: objects that all databases share, for example a database itself. */
  readonly database: string | null
  readonly owned: number
}

async function readDependencies(client: pg.Client, roleOid: string): Promise<Dependency[]> {
  const { rows } = await withPostgresErrors(
    client.query<Dependency>(
      `select d.datname::text as database, count(*) filter (where s.deptype = 'o')::int as owned
       from pg_catalog.pg_shdepend s left join pg_catalog.pg_database d on d.oid = s.dbid
       where s.refclassid = 'pg_catalog.pg_authid'::regclass and s.refobjid = $1
       group by 1 order by 1`,
      [roleOid],
    ),
  )
  return rows
}

async function currentUser(client: pg.Client): Promise<{ name: string; isSuperuser: boolean; database: string }> {
  const { rows } = await withPostgresErrors(
    client.query<{ name: string; superuser: boolean; database: string }>(
      `select rolname::text as name, rolsuper as superuser, current_database()::text as database from pg_catalog.pg_roles where rolname = current_user`,
    ),
  )
  const row = rows[0]
  if (row === undefined)
    throw new PosternError('UPSTREAM_PROTOCOL', 'the database does not know the user that it let in')
  return { name: row.name, isSuperuser: row.superuser, database: row.database }
}

function ownsObjects(roleName: string, owning: readonly Dependency[]): PosternError {
  const places = owning.map(
    ({ database, owned }) => `${owned} in ${database === null ? 'the cluster' : `database ${database}`}`,
  )
  return new PosternError('IN_USE', `the Postgres role ${roleName} owns objects: ${places.join(', ')}`, {
    hint: 'Name the Postgres role that shall own them from now on (reassignOwnedTo).',
  })
}

function heldByGrants(roleName: string, left: readonly Dependency[], cause: unknown): PosternError {
  const databases = [...new Set(left.map(({ database }) => database ?? 'any database'))].join(', ')
  return new PosternError(
    'IN_USE',
    `the Postgres role ${roleName} cannot log in any more, but others granted it privileges, in ${databases}`,
    {
      cause,
      hint: `Have a superuser or the grantors run there: DROP OWNED BY ${quoteName(roleName)}. Then unbind again.`,
    },
  )
}
