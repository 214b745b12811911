import type { Cell } from '../query-events.ts'
import type { OracleConnection } from './connection.ts'

/** Every query of the dictionary, so that a reader and a test see all of them at once. Oracle 12.1 has it all; the driver speaks to nothing older. */
export const DICTIONARY = {
  whoami: `SELECT SYS_CONTEXT('USERENV', 'SESSION_USER'), SYS_CONTEXT('USERENV', 'DB_NAME'), SYS_CONTEXT('USERENV', 'IP_ADDRESS') FROM dual`,
  /** CDB_NAME is null where there are no containers. */
  container: `SELECT SYS_CONTEXT('USERENV', 'CON_NAME'), SYS_CONTEXT('USERENV', 'CDB_NAME') FROM dual`,
  databaseName: 'SELECT name FROM v$database',
  databaseId: 'SELECT TO_CHAR(dbid) FROM v$database',
  openPdbs: `SELECT name FROM v$pdbs WHERE name <> 'PDB$SEED' AND open_mode LIKE 'READ%' ORDER BY name`,
  services: 'SELECT pdb, name, network_name FROM v$services ORDER BY pdb, name',
  characterSet: `SELECT value FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'`,
  privileges: 'SELECT privilege FROM session_privs ORDER BY privilege',
  roles: 'SELECT role FROM session_roles ORDER BY role',
  objectGrants: 'SELECT DISTINCT privilege FROM user_tab_privs_recd ORDER BY privilege',
  schemas: `SELECT username FROM all_users WHERE oracle_maintained = 'N' AND username NOT LIKE 'APEX\\_%' ESCAPE '\\' ORDER BY username`,
  tables: (views: DictionaryViews): string =>
    `SELECT t.table_name, t.num_rows, c.comments FROM ${views}_tables t LEFT JOIN ${views}_tab_comments c ON c.owner = t.owner AND c.table_name = t.table_name WHERE t.owner = :1 AND t.nested = 'NO' AND t.secondary = 'N' AND t.dropped = 'NO' ORDER BY t.table_name`,
  views: (views: DictionaryViews): string =>
    `SELECT v.view_name, c.comments FROM ${views}_views v LEFT JOIN ${views}_tab_comments c ON c.owner = v.owner AND c.table_name = v.view_name WHERE v.owner = :1 ORDER BY v.view_name`,
  materializedViews: (views: DictionaryViews): string =>
    `SELECT m.mview_name FROM ${views}_mviews m WHERE m.owner = :1 ORDER BY m.mview_name`,
  externalTables: (views: DictionaryViews): string =>
    `SELECT e.table_name FROM ${views}_external_tables e WHERE e.owner = :1 ORDER BY e.table_name`,
  viewText: (views: DictionaryViews): string =>
    `SELECT v.view_name, v.text FROM ${views}_views v WHERE v.owner = :1 AND v.view_name BETWEEN :2 AND :3`,
  columns: (views: DictionaryViews): string =>
    `SELECT c.table_name, c.column_name, c.data_type, c.data_length, c.char_length, c.char_used, c.data_precision, c.data_scale, c.nullable, c.data_default, m.comments FROM ${views}_tab_columns c LEFT JOIN ${views}_col_comments m ON m.owner = c.owner AND m.table_name = c.table_name AND m.column_name = c.column_name WHERE c.owner = :1 AND c.table_name BETWEEN :2 AND :3 ORDER BY c.table_name, c.column_id`,
  indexes: (views: DictionaryViews): string =>
    `SELECT c.table_name, c.index_name, c.column_name, i.uniqueness, k.constraint_type FROM ${views}_ind_columns c JOIN ${views}_indexes i ON i.owner = c.index_owner AND i.index_name = c.index_name LEFT JOIN ${views}_constraints k ON k.owner = c.table_owner AND k.table_name = c.table_name AND k.index_name = c.index_name AND k.constraint_type = 'P' WHERE c.table_owner = :1 AND c.table_name BETWEEN :2 AND :3 ORDER BY c.table_name, c.index_name, c.column_position`,
} as const

/** `dba`: everything there is. `all`: what the user may see. */
export type DictionaryViews = 'dba' | 'all'

const OWN_TIMEOUT_MS = 60_000
const ROWS_AT_A_TIME = 500

/** Rows of a query of our own. @throws what the connection throws */
export async function* readRows(
  connection: OracleConnection,
  sql: string,
  binds: readonly string[] = [],
): AsyncGenerator<readonly Cell[]> {
  const result = await connection.execute(sql, binds, { autoCommit: false, timeoutMs: OWN_TIMEOUT_MS })
  if (!('rows' in result)) return
  try {
    for (;;) {
      const rows = await result.rows.next(ROWS_AT_A_TIME)
      if (rows.length === 0) return
      yield* rows
    }
  } finally {
    await result.rows.close()
  }
}

/** The first column of every row. */
export async function readNames(
  connection: OracleConnection,
  sql: string,
  binds: readonly string[] = [],
): Promise<string[]> {
  const names: string[] = []
  for await (const [name] of readRows(connection, sql, binds)) names.push(name ?? '')
  return names
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
