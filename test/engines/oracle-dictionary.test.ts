import { describe, expect, it } from 'vitest'
import type { DescribedSchema, DescribedTable } from '../../src/engines/catalog-shapes.ts'
import type { EngineSession } from '../../src/engines/engine.ts'
import type { QueryEvent } from '../../src/engines/query-events.ts'
import { openOracleSession, type OracleSessionOptions } from '../../src/engines/oracle/session.ts'
import { oracleGrants } from '../../src/engines/oracle/privileges.ts'
import { FakeOracle, type FakeOracleDatabase, type FakeStatement } from '../support/fake-oracle.ts'

const context = { SESSION_USER: 'C##POSTERN', DB_NAME: 'ORCL', IP_ADDRESS: '203.0.113.7' }
const shared = {
  nls_database_parameters: [{ parameter: 'NLS_CHARACTERSET', value: 'AL32UTF8' }],
  session_privs: [{ privilege: 'CREATE SESSION' }, { privilege: 'SELECT ANY TABLE' }],
  session_roles: [{ role: 'SELECT_CATALOG_ROLE' }],
  all_users: [
    { username: 'SYS', oracle_maintained: 'Y' },
    { username: 'SHOP', oracle_maintained: 'N' },
    { username: 'APEX_230200', oracle_maintained: 'N' },
    { username: 'Crm', oracle_maintained: 'N' },
  ],
  v$database: [{ name: 'ORCL', dbid: '1671234567' }],
}
const nonCdb: FakeOracleDatabase = { context: { ...context, CON_NAME: 'ORCL', CDB_NAME: null }, views: shared }
const root: FakeOracleDatabase = {
  context: { ...context, CON_NAME: 'CDB$ROOT', CDB_NAME: 'ORCL' },
  views: {
    ...shared,
    v$pdbs: [
      { name: 'PDB$SEED', open_mode: 'READ ONLY' },
      { name: 'SALES', open_mode: 'READ WRITE' },
      { name: 'ARCHIVE', open_mode: 'READ ONLY' },
      { name: 'CLOSED', open_mode: 'MOUNTED' },
      { name: 'MUTE', open_mode: 'READ WRITE' },
    ],
    v$services: [
      { pdb: 'CDB$ROOT', name: 'ORCL', network_name: 'ORCL' },
      { pdb: 'SALES', name: 'another', network_name: 'another.test' },
      { pdb: 'SALES', name: 'sales', network_name: 'sales.test' },
      { pdb: 'ARCHIVE', name: 'reports', network_name: 'reports.test' },
      { pdb: 'MUTE', name: 'mute', network_name: null },
    ],
  },
}
const sales: FakeOracleDatabase = {
  context: { ...context, CON_NAME: 'SALES', CDB_NAME: 'ORCL' },
  views: {
    ...shared,
    all_tables: [
      {
        owner: 'SHOP',
        table_name: 'ITEM',
        num_rows: '12',
        comments: 'things',
        nested: 'NO',
        secondary: 'N',
        dropped: 'NO',
      },
      {
        owner: 'SHOP',
        table_name: 'TOTALS',
        num_rows: null,
        comments: null,
        nested: 'NO',
        secondary: 'N',
        dropped: 'NO',
      },
      { owner: 'SHOP', table_name: 'BIN$1', nested: 'NO', secondary: 'N', dropped: 'YES' },
    ],
    all_views: [{ owner: 'SHOP', view_name: 'CHEAP', comments: null, text: 'SELECT 1 FROM dual' }],
    all_mviews: [{ owner: 'SHOP', mview_name: 'TOTALS' }],
    all_tab_columns: [
      column('ITEM', '1', {
        column_name: 'ID',
        data_type: 'NUMBER',
        data_precision: '10',
        data_scale: '0',
        nullable: 'N',
      }),
      column('ITEM', '2', {
        column_name: 'NAME',
        data_type: 'VARCHAR2',
        char_length: '30',
        char_used: 'C',
        comments: 'shown',
      }),
      column('ITEM', '3', {
        column_name: 'PRICE',
        data_type: 'NUMBER',
        data_precision: '12',
        data_scale: '2',
        data_default: '0 ',
      }),
      column('ITEM', '4', { column_name: 'AT', data_type: 'TIMESTAMP(6) WITH TIME ZONE' }),
      column('CHEAP', '1', { column_name: 'ID', data_type: 'NUMBER' }),
    ],
    all_ind_columns: [
      index('ITEM', 'ITEM_PK', 'ID', { uniqueness: 'UNIQUE', constraint_type: 'P', column_position: '1' }),
      index('ITEM', 'ITEM_BY_NAME', 'NAME', { uniqueness: 'NONUNIQUE', column_position: '1' }),
      index('ITEM', 'ITEM_BY_NAME', 'PRICE', { uniqueness: 'NONUNIQUE', column_position: '2' }),
    ],
  },
}

function column(table: string, id: string, more: Record<string, string>): Record<string, string | null> {
  return { owner: 'SHOP', table_name: table, column_id: id, nullable: 'Y', ...more }
}
function index(table: string, name: string, column_name: string, more: Record<string, string>): Record<string, string> {
  return { table_owner: 'SHOP', table_name: table, index_name: name, column_name, ...more }
}

const session = (fake: FakeOracle, options: Partial<OracleSessionOptions> = {}): Promise<EngineSession> =>
  openOracleSession(fake, {
    purpose: 'admin',
    manageMode: 'database',
    database: '',
    isListenerProven: true,
    connectTo: () => Promise.reject(new Error('nobody asked for another service')),
    ...options,
  })

const run = (opened: EngineSession, sql: string, signal = new AbortController().signal, timeoutMs = 5000) =>
  Array.fromAsync(opened.query(sql, { signal, timeoutMs }))

async function readAll(schemas: AsyncIterable<DescribedSchema>): Promise<[string, DescribedTable[]][]> {
  const all: [string, DescribedTable[]][] = []
  for await (const schema of schemas) {
    if ('problem' in schema) throw schema.problem
    const tables: DescribedTable[] = []
    for await (const table of schema.tables) tables.push(table)
    all.push([schema.schema, tables])
  }
  return all
}

describe('[D1-163] [D1-164] [D1-166] [D1-167] Oracle manage mode "based on database"', () => {
  it('[D1-168] takes a database of the old kind for one database', async () => {
    const opened = await session(new FakeOracle(nonCdb))
    expect(await opened.listDatabases()).toEqual([
      { name: 'ORCL', characterSet: 'AL32UTF8', collation: null, sizeBytes: null },
    ])
  })

  it('[D1-169] takes a container database and each of its open PDBs, reached by its service, for databases', async () => {
    const opened = await session(new FakeOracle(root))
    const databases = await opened.listDatabases()
    expect(databases.map(({ name, serviceName }) => [name, serviceName])).toEqual([
      ['ORCL', undefined],
      ['ARCHIVE', 'reports.test'],
      ['SALES', 'sales.test'],
    ])
  })

  it('[D1-170] takes a PDB for itself alone', async () => {
    const opened = await session(new FakeOracle(sales))
    expect((await opened.listDatabases()).map(({ name }) => name)).toEqual(['SALES'])
  })

  it.each([
    [nonCdb, 'v$database', 'GRANT SELECT ON SYS.V_$DATABASE TO "C##POSTERN"'],
    [root, 'v$pdbs', 'GRANT SELECT ON SYS.V_$PDBS TO "C##POSTERN"'],
    [root, 'v$services', 'GRANT SELECT ON SYS.V_$SERVICES TO "C##POSTERN"'],
  ])('names the grant that is missing (%#)', async (database, view, grant) => {
    const opened = await session(new FakeOracle({ ...database, hidden: [view] }))
    await expect(opened.listDatabases()).rejects.toMatchObject({
      code: 'UPSTREAM_PERMISSION',
      hint: expect.stringContaining(grant) as string,
    })
    expect((await opened.checkPrivileges()).missingPrivileges).toEqual([grant])
  })

  it('works in a PDB by its service, and leaves the root', async () => {
    const first = new FakeOracle(root)
    const asked: string[] = []
    const there = new FakeOracle(sales)
    const connectTo = (service: string) => (asked.push(service), Promise.resolve(there))
    const opened = await session(first, { database: 'SALES', connectTo })
    expect(asked).toEqual(['sales.test'])
    expect(first.isClosed).toBe(true)
    expect((await opened.checkPrivileges()).systemIdentifier).toBe('1671234567/SALES')
    await opened.close()
    expect(there.isClosed).toBe(true)
    await expect(session(new FakeOracle(root), { database: 'CLOSED' })).rejects.toMatchObject({
      code: 'DATABASE_NOT_FOUND',
    })
  })

  it('describes a PDB in a session of its own, schema by schema, and ends it', async () => {
    const there = new FakeOracle({ ...sales, hidden: ['dba_mviews'] })
    const opened = await session(new FakeOracle(root), { connectTo: () => Promise.resolve(there) })
    const schemas = await readAll(opened.describe('SALES', { signal: new AbortController().signal }))
    expect(schemas.map(([name]) => name)).toEqual(['Crm', 'SHOP'])
    expect(there.isClosed).toBe(true)
    const [, tables = []] = schemas[1] ?? []
    expect(tables.map(({ name, kind, rowEstimate, comment }) => [name, kind, rowEstimate, comment])).toEqual([
      ['CHEAP', 'view', null, null],
      ['ITEM', 'table', 12, 'things'],
      ['TOTALS', 'materialized_view', null, null],
    ])
    expect(tables[0]?.definition).toBe('SELECT 1 FROM dual')
    expect(tables[1]).toMatchObject({
      columns: [
        { name: 'ID', type: 'NUMBER(10)', nullable: false },
        { name: 'NAME', type: 'VARCHAR2(30 CHAR)', nullable: true, comment: 'shown' },
        { name: 'PRICE', type: 'NUMBER(12,2)', defaultValue: '0' },
        { name: 'AT', type: 'TIMESTAMP(6) WITH TIME ZONE' },
      ],
      indexes: [
        { name: 'ITEM_BY_NAME', columns: ['NAME', 'PRICE'], unique: false, primary: false },
        { name: 'ITEM_PK', columns: ['ID'], unique: true, primary: true },
      ],
    })
  })
})

describe('[D1-171] [D1-172] Oracle manage mode "based on schema"', () => {
  it('[D1-173] takes every schema that is not of Oracle itself for a database', async () => {
    const opened = await session(new FakeOracle(sales), { manageMode: 'schema' })
    expect((await opened.listDatabases()).map(({ name }) => name)).toEqual(['Crm', 'SHOP'])
    const schemas = await readAll(opened.describe('SHOP', { signal: new AbortController().signal }))
    expect(schemas.map(([name, tables]) => [name, tables.length])).toEqual([['', 3]])
    const nothing = readAll(opened.describe('NOBODY', { signal: new AbortController().signal }))
    await expect(nothing).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' })
  })

  it('works in a schema whose name is quoted', async () => {
    const fake = new FakeOracle(sales)
    await session(fake, { manageMode: 'schema', database: 'Crm' })
    expect(fake.executed.at(-1)).toBe('ALTER SESSION SET CURRENT_SCHEMA = "Crm"')
  })
})

describe('Oracle statements', () => {
  const statements: Record<string, FakeStatement> = {
    'SELECT name FROM item': { columns: ['NAME'], rows: Array.from({ length: 450 }, (_, n) => [String(n)]) },
    "UPDATE item SET name = q'[;]'": { changed: 3 },
    'BEGIN\n  a;\n  b;\nEND;': { changed: 0 },
    'SELECT wrong FROM item': { fails: [904, '"WRONG": invalid identifier', 7] },
    'SELECT slow FROM item': 'hang',
  }
  const rowsOf = (events: readonly QueryEvent[]) => events.flatMap((event) => (event.type === 'rows' ? event.rows : []))

  it('run one after the other, program text up to its slash, each change committed', async () => {
    const opened = await session(new FakeOracle(nonCdb, statements))
    const events = await run(
      opened,
      "UPDATE item SET name = q'[;]';\nBEGIN\n  a;\n  b;\nEND;\n/\nSELECT name FROM item;",
    )
    expect(rowsOf(events)).toHaveLength(450)
    expect(events.filter(({ type }) => type === 'complete')).toEqual([
      { type: 'complete', command: 'UPDATE', rowCount: 3 },
      { type: 'complete', command: 'PL/SQL', rowCount: 0 },
      { type: 'complete', command: 'SELECT', rowCount: 450 },
    ])
  })

  it('say where they are wrong in the whole text', async () => {
    const opened = await session(new FakeOracle(nonCdb, statements))
    await expect(run(opened, 'SELECT name FROM item;\n\nSELECT wrong FROM item')).rejects.toMatchObject({
      code: 'STATEMENT_FAILED',
      detail: { databaseCode: 'ORA-00904', line: 3, column: 8 },
    })
  })

  it('are interrupted in the database when the caller gives up or the time is over', async () => {
    const opened = await session(new FakeOracle(nonCdb, statements))
    const stop = new AbortController()
    const running = run(opened, 'SELECT slow FROM item', stop.signal)
    setTimeout(() => stop.abort(), 50)
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(run(opened, 'SELECT slow FROM item', undefined, 50)).rejects.toMatchObject({
      code: 'STATEMENT_FAILED',
      detail: { timeoutMs: 50 },
    })
  })

  it('of a read-only session run in a READ ONLY transaction each', async () => {
    const fake = new FakeOracle(nonCdb, statements)
    const opened = await session(fake, { purpose: 'read_only' })
    const before = fake.executed.length
    expect(rowsOf(await run(opened, 'SELECT name FROM item; SELECT name FROM item'))).toHaveLength(900)
    expect(fake.executed.slice(before)).toEqual([
      'SET TRANSACTION READ ONLY',
      'SELECT name FROM item',
      'SET TRANSACTION READ ONLY',
      'SELECT name FROM item',
    ])
  })

  it.each([
    "UPDATE item SET name = q'[;]'",
    "BEGIN EXECUTE IMMEDIATE 'DROP TABLE item'; END;",
    'DECLARE PRAGMA AUTONOMOUS_TRANSACTION; BEGIN NULL; END;',
    'COMMIT',
    'ROLLBACK',
    'SET TRANSACTION READ WRITE',
    'ALTER SESSION SET CURRENT_SCHEMA = SYS',
    'CREATE TABLE t (id NUMBER)',
    'EXPLAIN PLAN FOR SELECT 1 FROM dual',
    'LOCK TABLE item IN EXCLUSIVE MODE',
    'CALL p()',
    'SELECT name FROM item FOR UPDATE',
    'SELECT s.NEXTVAL FROM dual',
    'WITH FUNCTION f RETURN NUMBER IS PRAGMA AUTONOMOUS_TRANSACTION; BEGIN RETURN 1; END; SELECT f FROM dual',
    'WITH\n/* x */ PROCEDURE p IS BEGIN NULL; END; SELECT 1 FROM dual',
    'SELECT name FROM item; DELETE FROM item',
    "SELECT 'open",
  ])('that write never reach a read-only session: %s', async (sql) => {
    const fake = new FakeOracle(nonCdb, statements)
    const opened = await session(fake, { purpose: 'read_only' })
    const before = fake.executed.length
    await expect(run(opened, sql)).rejects.toMatchObject({ code: 'STATEMENT_NOT_READ_ONLY' })
    expect(fake.executed).toHaveLength(before)
  })
})

describe('Oracle privileges', () => {
  it('of a read-only user that can change something are warned of', async () => {
    const views = {
      ...shared,
      session_privs: [{ privilege: 'CREATE SESSION' }, { privilege: 'INSERT ANY TABLE' }],
      user_tab_privs_recd: [{ privilege: 'UPDATE' }, { privilege: 'SELECT' }, { privilege: 'UPDATE' }],
    }
    const opened = await session(new FakeOracle({ ...nonCdb, views }), {
      purpose: 'read_only',
      isListenerProven: false,
    })
    expect(await opened.checkPrivileges()).toMatchObject({
      user: 'C##POSTERN',
      seenAddress: '203.0.113.7',
      missingPrivileges: ['GRANT SELECT ANY TABLE TO "C##POSTERN"'],
      warnings: [expect.stringContaining('INSERT ANY TABLE, UPDATE'), expect.stringContaining('TLS')],
    })
  })

  it('of one that only reads are not', async () => {
    const opened = await session(new FakeOracle(nonCdb), { purpose: 'read_only' })
    expect((await opened.checkPrivileges()).warnings).toEqual([])
  })

  it('are granted to a common user in every container', () => {
    expect(oracleGrants('read_only', { username: 'c##postern', database: '' })).toEqual([
      'GRANT CREATE SESSION TO "C##POSTERN" CONTAINER=ALL',
      'GRANT SELECT ANY DICTIONARY TO "C##POSTERN" CONTAINER=ALL',
      'GRANT SELECT ANY TABLE TO "C##POSTERN" CONTAINER=ALL',
      'ALTER USER "C##POSTERN" SET CONTAINER_DATA=ALL CONTAINER=CURRENT',
    ])
    expect(oracleGrants('admin', { username: 'postern', database: '' })).toContain('GRANT DROP ANY TABLE TO "POSTERN"')
  })
})

describe('stand-in for Oracle', () => {
  it.each([
    ['SELECT name FROM v$nothing', 942],
    ['SELECT nothing FROM v$database', 904],
    ['SELECT t.table_name FROM all_tables t WHERE t.nothing = :1', 904],
    ["SELECT SYS_CONTEXT('USERENV', 'NOTHING') FROM dual", 2003],
    ['DROP TABLE item', 900],
  ])('refuses what a database would: %s', async (sql, errorNum) => {
    const options = { autoCommit: false, timeoutMs: 1000 }
    await expect(new FakeOracle(nonCdb).execute(sql, ['x'], options)).rejects.toMatchObject({ errorNum })
  })
})
