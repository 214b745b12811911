import { readFileSync } from 'node:fs'
import { Secret } from '../../../src/base/secret.ts'
import type { DataSourceRoute } from '../../../src/dialer/data-source-route.ts'
import { startClickHouse } from '../../support/clickhouse-server.ts'
import { createTestAuthority } from '../../support/test-certificates.ts'
import { testRoute } from '../../support/test-route.ts'
import { STOLEN_FILE, type ConformanceRow, type ConformanceServer, type Login } from './conformance-row.ts'

const TABLE = 'ENGINE = MergeTree() PARTITION BY tuple() ORDER BY'

const SCHEMA = [
  `CREATE TABLE orders (id UInt32, note String DEFAULT 'none' COMMENT 'for people', total Nullable(Decimal(10, 2))) ${TABLE} id`,
  `INSERT INTO orders VALUES (1, 'first', 1.50)`,
  'CREATE VIEW recent AS SELECT id FROM orders',
]

const WRITES = [
  'drop table orders',
  `insert into orders values (2, '', 0)`,
  'create table more (a Int8) engine = Memory',
  'create database more',
  'create view more as select 1',
  'rename table orders to others',
  'alter table orders drop column note',
  `alter table orders update note = '' where 1`,
  'alter table orders delete where 1',
  'truncate table orders',
  'optimize table orders',
  'detach table orders',
  'attach table orders',
  'drop database shop',
  'system flush logs',
  'system shutdown',
  'kill query where 1',
  'set readonly = 0',
  'use system',
  'create temporary table more (a Int8)',
  'select 1; drop table orders',
  '/* select */ drop table orders',
  'select 1 settings readonly = 0',
  `insert into table function file('${STOLEN_FILE}', 'CSV', 'a Int8') values (1)`,
  `select * from url('http://127.0.0.1:1/', 'TSV', 'a String')`,
  `select * from remote('127.0.0.1', 'shop', 'orders')`,
  `select * from file('/etc/passwd', 'TSV', 'a String')`,
  `select * from \`url\` ('http://127.0.0.1:1/', 'TSV', 'a String')`,
  `select * from mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')`,
]

const sql: ConformanceServer['sql'] = {
  million: `select number, concat(toString(number), '${'x'.repeat(300)}') as text from numbers(1000000)`,
  slow: 'select count() from system.numbers where not ignore(number)',
  values: {
    statement: `select toDecimal64(1.5, 2) as d, toDateTime('2026-01-02 03:04:05') as t, toDate('2026-01-02') as z,
      cast('x' as Enum8('x' = 1)) as e, ['a', 'b\\'c'] as l, (1, 'b') as r, NULL as n, toFloat64('nan') as f,
      toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') as u, toUInt64('18446744073709551615') as b, 'ä\\tö' as s,
      unhex('00FF') as h`,
    columns: [
      { name: 'd', type: 'Decimal(18, 2)' },
      { name: 't', type: 'DateTime' },
      { name: 'z', type: 'Date' },
      { name: 'e', type: "Enum8('x' = 1)" },
      { name: 'l', type: 'Array(String)' },
      { name: 'r', type: 'Tuple(UInt8, String)' },
      { name: 'n', type: 'Nullable(Nothing)' },
      { name: 'f', type: 'Float64' },
      { name: 'u', type: 'UUID' },
      { name: 'b', type: 'UInt64' },
      { name: 's', type: 'String' },
      { name: 'h', type: 'String' },
    ],
    row: [
      '1.50',
      '2026-01-02 03:04:05',
      '2026-01-02',
      'x',
      "['a','b\\'c']",
      "(1,'b')",
      null,
      'nan',
      '61f0c404-5cb3-11e7-907b-a6006ad3dba0',
      '18446744073709551615',
      'ä\tö',
      '\\x00\\xFF',
    ],
  },
  several: 'select 1 as one; select 2 as two',
  mistake: { statement: 'select 1;\nselect\n  1 frm x y', code: '62', place: [3, 9] },
  writes: WRITES,
  brokenWrites: [`select 1 into outfile '${STOLEN_FILE}'`],
  reads: [
    'select count(*) from orders where id in (1, 2)',
    '(select 1)',
    'select 1 union all select 2',
    'with 1 as a select a',
    'show tables',
    'describe table orders',
    'exists table orders',
    'show create table orders',
    `select 'drop table orders; kill', "id", \`note\` from orders -- drop;`,
    `select 'a\\'; drop table orders; -- '`,
  ],
  grantWriting: '',
}

/** Of 2018: no grants, no comments on tables, no indexes beside the key that orders the rows. */
export const clickhouse: ConformanceRow = {
  title: "Debian's ClickHouse, HTTPS with verify-full",
  tools: ['openssl', 'clickhouse-server'],
  lacks: ['grants', 'unique keys', 'secondary indexes', 'table comments'],
  async start() {
    const authority = createTestAuthority('ClickHouse authority')
    const server = await startClickHouse(authority.issue(['localhost']))
    const run = async (...statements: string[]): Promise<void> => {
      for (const statement of statements) await server.run(statement, 'shop')
    }
    await server.run('CREATE DATABASE shop')
    await run(...SCHEMA)
    const httpsPort = server.httpsPort ?? 0
    const login = (user: { username: string; password: string }, change: Partial<DataSourceRoute> = {}): Login => ({
      route: testRoute(httpsPort, {
        engine: 'clickhouse',
        host: 'localhost',
        database: 'shop',
        tlsMode: 'verify-full',
        tlsCa: authority.caPem,
        username: user.username,
        ...change,
      }),
      secrets: { password: new Secret(user.password) },
    })
    return {
      engine: 'clickhouse',
      version: '1',
      owner: login(server.admin),
      reader: login(server.analyst),
      newAdmin: login(server.admin),
      newReader: login(server.analyst),
      sql,
      run,
      async openSessions() {
        const others = await server.run(
          `SELECT count() FROM system.processes WHERE user IN ('admin', 'analyst') AND query NOT LIKE '%system.processes%'`,
        )
        return Number(others) + establishedTo(httpsPort)
      },
      countOrders: async () => Number(await server.run('SELECT count() FROM shop.orders')),
      async stop() {
        await server.stop()
        authority.remove()
      },
    }
  },
}

const ESTABLISHED = '01'

/** Open sockets of a server on loopback, as the system counts them. */
function establishedTo(port: number): number {
  const own = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n')
  return rows.map((row) => row.trim().split(/\s+/)).filter((row) => row[1]?.endsWith(own) && row[3] === ESTABLISHED)
    .length
}
