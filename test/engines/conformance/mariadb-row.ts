import { Secret } from '../../../src/base/secret.ts'
import type { DataSourceRoute } from '../../../src/dialer/data-source-route.ts'
import { startMariadb } from '../../support/mariadb-server.ts'
import { createTestAuthority } from '../../support/test-certificates.ts'
import { testRoute } from '../../support/test-route.ts'
import { STOLEN_FILE, type ConformanceRow, type ConformanceServer, type Login } from './conformance-row.ts'

const PASSWORD = "it's a; \\ password"

const SCHEMA = `
  create table orders (id int unsigned primary key, note varchar(20) not null default 'none' comment 'for people',
    total decimal(10,2), index orders_note (note, total)) comment 'what was ordered' character set utf8mb4;
  insert into orders values (1, 'first', 1.50);
  create view recent as select id from orders;
  create table gone (i int); create view broken as select * from gone; drop table gone;
  create table kinds (u bigint unsigned, d decimal(10,2), dt datetime(3), z date, b varbinary(8), bl blob, bt bit(3),
    j json, e enum('x','y'), s set('p','q'), t text, n text, g geometry);
  set sql_mode = '';
  insert into kinds values (18446744073709551615, 1.50, '2026-01-02 03:04:05.678', '0000-00-00', x'00ff', 'abc', 5,
    '{"a": 1}', 'x', 'p,q', 'äö', null, point(1, 2));
  create table ledger (id int) engine = myisam;
  create function sneaky() returns int begin insert into ledger values (1); return 1; end;
  create procedure sneak() begin insert into orders values (98, '', 0); end;
  create sequence numbers;
`

const WRITES = [
  `insert into orders values (2, '', 0)`,
  'update orders set note = 1',
  'delete from orders',
  'replace into orders values (1, 1, 1)',
  'truncate orders',
  'drop table orders',
  'create table more (id int)',
  'create temporary table more (id int)',
  'insert into ledger values (1)',
  'select * from orders for update',
  'select * from orders lock in share mode',
  `select * from orders into outfile '${STOLEN_FILE}'`,
  'select note into @x from orders',
  'commit; delete from orders',
  'select 1; rollback; delete from orders',
  'begin',
  'start transaction read write',
  'set transaction read write',
  'set session transaction_read_only = 0',
  'set @@session.tx_read_only = 0',
  'set autocommit = 1',
  'savepoint a',
  'xa start "x"',
  'call sneak()',
  'select sneaky()',
  'select `sneaky` /* */ ()',
  'do sneaky()',
  'execute immediate "delete from orders"',
  'prepare p from "delete from orders"',
  'select 1 /*! union select sneaky() */',
  'select 1 /*M! union select sneaky() */',
  '/*!50000 delete from orders */',
  '/*!50000 delete */ from orders',
  `load data infile '/etc/passwd' into table orders`,
  `load data local infile '/etc/passwd' into table orders`,
  `select load_file('/etc/passwd')`,
  'handler orders open',
  'lock tables orders write',
  'flush tables with read lock',
  'analyze delete from orders',
  'analyze table orders',
  'optimize table orders',
  'select next value for numbers',
  'select nextval(numbers)',
  'select setval(numbers, 100)',
  `select get_lock('x', 0)`,
  'kill 1',
  'use mysql',
  'begin not atomic delete from orders; end',
  "select 'a\\\\'; delete from orders; -- '",
]

const BROKEN_WRITES = ['with x as (select 1) delete from orders', 'select 1 1; select 2']

const READS = [
  'select count(*) from orders where id in (1, 2)',
  '(select 1) union (select 2)',
  'with x as (select 1 as a) select a from x',
  'values (1), (2)',
  'show tables',
  'describe orders',
  'explain select * from orders',
  `select now(), uuid(), rand(), coalesce(note, 'x') from orders`,
  `select 'delete from orders; commit', "a''b", \`note\` from orders -- commit;\n # commit`,
  `select 'a\\'; delete from orders; -- '`,
]

const sql: ConformanceServer['sql'] = {
  million: `select seq, repeat('x', 300) from seq_1_to_1000000`,
  slow: 'select sleep(60) from orders',
  values: {
    statement: 'select * from kinds',
    columns: [
      { name: 'u', type: 'bigint unsigned' },
      { name: 'd', type: 'decimal(10,2)' },
      { name: 'dt', type: 'datetime(3)' },
      { name: 'z', type: 'date' },
      { name: 'b', type: 'varbinary' },
      { name: 'bl', type: 'blob' },
      { name: 'bt', type: 'bit(3)' },
      { name: 'j', type: 'json' },
      { name: 'e', type: 'enum' },
      { name: 's', type: 'set' },
      { name: 't', type: 'text' },
      { name: 'n', type: 'text' },
      { name: 'g', type: 'geometry' },
    ],
    row: [
      '18446744073709551615',
      '1.50',
      '2026-01-02 03:04:05.678',
      '0000-00-00',
      '0x00FF',
      '0x616263',
      '0x05',
      '{"a": 1}',
      'x',
      'p,q',
      'äö',
      null,
      '0x000000000101000000000000000000F03F0000000000000040',
    ],
  },
  several: `select 1 as one; select 2 as two`,
  mistake: { statement: 'select 1;\nselect\n  nope from orders', code: '1054' },
  writes: WRITES,
  brokenWrites: BROKEN_WRITES,
  reads: READS,
  grantWriting: `grant insert on shop.orders to new_reader@'%'`,
}

/** Every login shows a client certificate. */
export const mariadb: ConformanceRow = {
  title: "Debian's MariaDB, verify-full and client certificates",
  tools: ['openssl', 'mariadbd'],
  async start() {
    const authority = createTestAuthority('MariaDB authority')
    const clients = createTestAuthority('Clients')
    const server = await startMariadb({
      identity: authority.issue(['localhost']),
      clientCa: clients.caPem,
      settings: ['--character-set-server=utf8mb4', '--max-connections=60'],
    })
    const account = (name: string): string =>
      `create user ${name}@'%' identified by 'it''s a; \\\\ password' require x509;`
    await server.run(
      'create database shop',
      'use shop',
      SCHEMA,
      ['owner_user', 'reader_user', 'new_admin', 'new_reader'].map(account).join(' '),
      `grant all on *.* to owner_user@'%' with grant option; grant select, show view on shop.* to reader_user@'%'`,
    )
    const identity = clients.issue(['client'])
    const route: Partial<DataSourceRoute> = {
      engine: 'mariadb',
      host: 'localhost',
      database: 'shop',
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
      tlsClientCertificate: identity.certificateChainPem,
    }
    const login = (username: string, change: Partial<DataSourceRoute> = {}): Login => ({
      route: testRoute(server.port, { ...route, username, ...change }),
      secrets: { password: new Secret(PASSWORD), tlsClientKey: new Secret(identity.privateKeyPem) },
    })
    return {
      engine: 'mariadb',
      version: '10.',
      owner: login('owner_user'),
      reader: login('reader_user'),
      // Whoever has no privilege at all may not even enter a database.
      newAdmin: login('new_admin', { database: '' }),
      newReader: login('new_reader', { database: '' }),
      sql,
      run: async (...statements) => void (await server.run('use shop', ...statements)),
      openSessions: server.openSessions,
      countOrders: async () => Number((await server.run('select count(*) as n from shop.orders'))[0]?.['n']),
      async stop() {
        await server.stop()
        authority.remove()
        clients.remove()
      },
    }
  },
}
