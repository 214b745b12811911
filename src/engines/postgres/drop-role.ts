import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import type { UpstreamRole } from '../engine.ts'
import { sqlstateOf, withPostgresErrors } from './errors.ts'

const { escapeIdentifier: quoteName } = pg

/** Memberships have INHERIT and SET options of their own since PostgreSQL 16. */
export const MEMBERSHIP_OPTIONS_SINCE = 160_000

/** Runs `work` in a session of the same user on another database of the server. */
export type InDatabase = <T>(database: string, work: (client: pg.Client) => Promise<T>) => Promise<T>

/** For the role's sessions to end after they were told to. */
const SESSIONS_END_MS = 5_000

/**
 * Ends the role's sessions and drops it. Postgres drops no role that owns something or was granted something, and both may be
 * in any database of the cluster; so each of those databases is visited.
 *
 * Not one transaction, since it spans databases: a failure leaves the role in place, without LOGIN, and a second try goes on.
 * Nothing that the role owns ever goes to a superuser or to Postern's own user: a SECURITY DEFINER function would then run with
 * their privileges.
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
  const self = await currentUser(client)
  const adminOption = `GRANT ${role} TO ${quoteName(self.name)} WITH ADMIN OPTION`
  if (reassignOwnedTo === undefined) requireNothingOwned(roleName, await readDependencies(client, found.oid))
  else await checkHeir(client, reassignOwnedTo)

  await withPostgresErrors(client.query(`alter role ${role} nologin`), adminOption)
  // To act on the role's objects and sessions its privileges are needed. The membership ends with the role.
  await gainPrivileges(client, roleName, adminOption)
  await endSessions(client, found.oid)
  const dependencies = await readDependencies(client, found.oid)
  if (reassignOwnedTo === undefined) requireNothingOwned(roleName, dependencies)

  await withPrivilegesOf(client, reassignOwnedTo, async () => {
    for (const { database } of dependencies) {
      await inDatabase(database ?? self.database, async (there) => {
        if (reassignOwnedTo !== undefined) {
          await withPostgresErrors(there.query(`reassign owned by ${role} to ${quoteName(reassignOwnedTo)}`))
        }
        // Takes privileges back; what was owned is gone from it by now.
        await withPostgresErrors(there.query(`drop owned by ${role}`))
      })
    }
  })
  try {
    await withPostgresErrors(client.query(`drop role ${role}`), adminOption)
  } catch (thrown) {
    if (!(thrown instanceof PosternError) || sqlstateOf(thrown.cause) !== DEPENDENT_OBJECTS_STILL_EXIST) throw thrown
    throw heldByGrants(roleName, await readDependencies(client, found.oid), thrown)
  }
}

async function checkHeir(client: pg.Client, roleName: string): Promise<void> {
  const { rows } = await withPostgresErrors(
    client.query<{ unfit: boolean }>(
      `select rolsuper or rolname = current_user as unfit from pg_catalog.pg_roles where rolname = $1`,
      [roleName],
    ),
  )
  if (rows[0] === undefined) throw new PosternError('NOT_FOUND', `No Postgres role ${roleName} exists on the instance`)
  if (!rows[0].unfit) return
  throw new PosternError(
    'INVALID_ARGUMENT',
    `reassignOwnedTo: ${roleName} is a superuser or the data source's own user, with whose privileges a function among the objects would then run`,
  )
}

async function endSessions(client: pg.Client, roleOid: string): Promise<void> {
  const deadlineAt = performance.now() + SESSIONS_END_MS
  for (;;) {
    const { rowCount } = await withPostgresErrors(
      client.query('select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where usesysid = $1', [
        roleOid,
      ]),
    )
    if (rowCount === 0) return
    if (performance.now() > deadlineAt)
      throw new PosternError('IN_USE', 'the sessions of the Postgres role did not end in time')
    await sleep(20)
  }
}

/** Runs `work` as a member of the role, where there is one and its privileges are lacking. */
export async function withPrivilegesOf(
  client: pg.Client,
  roleName: string | undefined,
  work: () => Promise<void>,
): Promise<void> {
  const gained =
    roleName !== undefined && (await gainPrivileges(client, roleName, `GRANT ${quoteName(roleName)} TO CURRENT_USER`))
  try {
    await work()
  } finally {
    if (gained) await withPostgresErrors(client.query(`revoke ${quoteName(roleName)} from current_user`))
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

/**
 * Makes the session's user a member of a role if it lacks its privileges; a superuser has all.
 * @returns whether it was made one
 */
async function gainPrivileges(client: pg.Client, roleName: string, needed: string): Promise<boolean> {
  const { rows } = await withPostgresErrors(
    client.query<{ has: boolean; version: number }>(
      `select pg_catalog.pg_has_role(oid, 'usage') as has, current_setting('server_version_num')::int as version
       from pg_catalog.pg_roles where rolname = $1`,
      [roleName],
    ),
  )
  const row = rows[0]
  if (row === undefined || row.has) return false
  const options = row.version >= MEMBERSHIP_OPTIONS_SINCE ? ' with inherit true, set true' : ''
  await withPostgresErrors(client.query(`grant ${quoteName(roleName)} to current_user${options}`), needed)
  return true
}

async function currentUser(client: pg.Client): Promise<{ name: string; database: string }> {
  const { rows } = await withPostgresErrors(
    client.query<{ name: string; database: string }>(
      `select current_user::text as name, current_database()::text as database`,
    ),
  )
  const row = rows[0]
  if (row === undefined)
    throw new PosternError('UPSTREAM_PROTOCOL', 'the database does not know the user that it let in')
  return row
}

function requireNothingOwned(roleName: string, dependencies: readonly Dependency[]): void {
  const owning = dependencies.filter(({ owned }) => owned > 0)
  if (owning.length === 0) return
  const places = owning.map(
    ({ database, owned }) => `${owned} in ${database === null ? 'the cluster' : `database ${database}`}`,
  )
  throw new PosternError('IN_USE', `the Postgres role ${roleName} owns objects: ${places.join(', ')}`, {
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
