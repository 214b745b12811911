import { createHash } from 'node:crypto'
import pg from 'pg'
import { PosternError } from '../../base/errors.ts'
import { databricksAuthObjects } from '../../postgres-server/databricks-auth/extension-files.ts'
import type { SqlRoleRequest, SqlRoles } from '../engine.ts'
import { withPostgresErrors } from './errors.ts'

const { escapeIdentifier: quoteName } = pg

/** sha256() came with it. */
const SINCE = 110_000
/** What databricks_create_role says in the comment of a new role, before the oid of its database. */
const WAITS = 'databricks_auth: waits for Postern, from database '
/** First the one that two nodes write in turn. */
const TABLES = ['setting', 'identity', 'bound_role', 'request'] as const

/** The other side of databricks_auth, as the user that owns its objects. */
export function sqlRoles(client: pg.Client): SqlRoles {
  const query = async <R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> =>
    (await withPostgresErrors(client.query<R>(text, values))).rows
  /**
   * Takes hold of the tables, and only then asks whose they are. Until they are held, whoever made the extension may drop it and
   * leave tables with triggers, or views with functions, in their place: those would run as this user.
   */
  const hold = async (settingLock: 'exclusive' | 'row share'): Promise<void> => {
    const [setting, ...others] = TABLES.map((table) => `databricks_auth.${table}`)
    await query(`lock table ${setting} in ${settingLock} mode`)
    await query(`lock table ${others.join(', ')} in row share mode`)
    // A name may stand for another table than when it was locked, so the locks are counted.
    const held = await query(
      `select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'databricks_auth' and c.relname = any($1) and c.relkind = 'r'
         and c.relowner = (select r.oid from pg_catalog.pg_roles r where r.rolname = current_user)
         and exists (select from pg_catalog.pg_locks l where l.pid = pg_catalog.pg_backend_pid() and l.granted
           and l.locktype = 'relation' and l.relation = c.oid)`,
      [TABLES],
    )
    if (held.length === TABLES.length) return
    throw new PosternError('UPSTREAM_FAILED', 'databricks_auth was replaced while Postern came to work in it', {
      hint: 'Postern comes again. Where somebody made a schema databricks_auth of his own, drop it.',
    })
  }
  const holding = async <T>(settingLock: 'exclusive' | 'row share', work: () => Promise<T>): Promise<T> => {
    await query('begin isolation level read committed')
    try {
      await hold(settingLock)
      const result = await work()
      await query('commit')
      return result
    } catch (thrown) {
      await client.query('rollback').catch(() => undefined)
      throw thrown
    }
  }
  const isInstalled = async (): Promise<boolean> => {
    const rows = await query(
      `select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'databricks_auth' and c.relname = 'request'
         and c.relowner = (select r.oid from pg_catalog.pg_roles r where r.rolname = current_user)`,
    )
    return rows.length > 0
  }
  return {
    isInstalled,

    look: (databases) =>
      query(
        `select d.datname::text as database, coalesce(f.mark, 0)::text as mark, exists (
           select from pg_catalog.pg_shdescription c
           where c.classoid = 'pg_catalog.pg_authid'::regclass and c.description = $2 || d.oid) as waits
         from pg_catalog.pg_database d left join (
           select s.dbid, max(s.objid::int8) as mark from pg_catalog.pg_shdepend s
           where s.refclassid = 'pg_catalog.pg_authid'::regclass and s.classid = 'pg_catalog.pg_proc'::regclass
             and s.refobjid = (select r.oid from pg_catalog.pg_roles r where r.rolname = current_user)
           group by s.dbid) f on f.dbid = d.oid
         where d.datallowconn and case when $1::text[] is null then f.mark is not null else d.datname = any($1) end`,
        [databases ?? null, WAITS],
      ),

    async install() {
      const [server] = await query<{ version: number }>(`select current_setting('server_version_num')::int as version`)
      if ((server?.version ?? 0) < SINCE) {
        throw new PosternError('INVALID_ARGUMENT', 'databricks_auth needs PostgreSQL 11 or newer')
      }
      if (await isInstalled()) return
      const needed = `GRANT CREATE ON DATABASE ${await currentDatabase(query)} TO CURRENT_USER; GRANT CREATE ON SCHEMA public TO CURRENT_USER`
      await withPostgresErrors(client.query(databricksAuthObjects('public')), needed)
    },

    refresh: ({ instanceId, modulus, marker, identities, boundRoles }) =>
      // Two nodes at once would each remove what the other has just written.
      holding('exclusive', async () => {
        await query('delete from databricks_auth.setting')
        await query('delete from databricks_auth.identity')
        await query('delete from databricks_auth.bound_role')
        await query(`insert into databricks_auth.setting (instance_id, modulus, marker) values ($1, $2, $3)`, [
          instanceId,
          modulus,
          marker,
        ])
        await query(
          `insert into databricks_auth.identity (identity_type, name_digest, identity_id)
           select * from unnest($1::text[], $2::bytea[], $3::int8[])`,
          [
            identities.map(({ identityType }) => identityType),
            identities.map(({ identityType, name }) => createHash('sha256').update(`${identityType}:${name}`).digest()),
            identities.map(({ identityId }) => identityId),
          ],
        )
        await query(
          `insert into databricks_auth.bound_role (role_oid, identity_type, identity_id)
           select * from unnest($1::oid[], $2::text[], $3::int8[])`,
          [
            boundRoles.map(({ roleOid }) => roleOid),
            boundRoles.map(({ identityType }) => identityType),
            boundRoles.map(({ identityId }) => identityId),
          ],
        )
      }),

    requests: () =>
      holding('row share', () =>
        query<SqlRoleRequest & pg.QueryResultRow>(
          `select role_oid::text as "roleOid", role_name::text as "roleName", identity_type as "identityType",
           identity_id::text as "identityId", session_statement as "sessionStatement", requested_at as "requestedAt"
         from databricks_auth.request where refusal is null order by requested_at`,
        ),
      ),

    async take({ roleOid, roleName, identityType, identityId }) {
      await hold('row share')
      const rows = await query(
        'delete from databricks_auth.request where role_oid = $1 and refusal is null returning 1',
        [roleOid],
      )
      if (rows.length === 0) return false
      const label = `Postern: ${identityType} ${identityId}`
      await query(`comment on role ${quoteName(roleName)} is ${pg.escapeLiteral(label)}`)
      await query('insert into databricks_auth.bound_role values ($1, $2, $3) on conflict do nothing', [
        roleOid,
        identityType,
        identityId,
      ])
      return true
    },

    async refuse({ roleOid, roleName }, reason) {
      await holding('row share', () =>
        query('update databricks_auth.request set refusal = $2 where role_oid = $1', [roleOid, reason]),
      )
      // One that this user did not make is not its to comment on.
      const rows = await query(
        `select from pg_catalog.pg_roles where oid = $1 and rolname = $2 and pg_has_role(oid, 'member with admin option')`,
        [roleOid, roleName],
      )
      if (rows.length > 0) await query(`comment on role ${quoteName(roleName)} is 'databricks_auth: refused'`)
    },
  }
}

async function currentDatabase(query: (text: string) => Promise<pg.QueryResultRow[]>): Promise<string> {
  const [row] = await query('select current_database()::text as name')
  return quoteName(String(row?.name))
}
