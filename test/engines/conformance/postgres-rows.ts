import type pg from 'pg'
import { Secret } from '../../../src/base/secret.ts'
import type { DataSourceRoute } from '../../../src/dialer/data-source-route.ts'
import { testRoute } from '../../support/test-route.ts'
import { createTestAuthority } from '../../support/test-certificates.ts'
import { startUpstreamPostgres } from '../../support/upstream-postgres.ts'
import { STOLEN_FILE, type ConformanceRow, type ConformanceServer, type Login } from './conformance-row.ts'
import { startDebianPostgresCluster } from './debian-postgres-cluster.ts'

const PASSWORD = "it's a; \\ password"

const SCHEMA = `
  create table orders (id int primary key, note varchar(20) not null default 'none', total numeric(10,2));
  create index orders_note on orders (note, lower(note));
  comment on table orders is 'what was ordered';
  comment on column orders.note is 'for people';
  insert into orders values (1, 'first', 1.50);
  create view recent as select id from orders;
  create materialized view totals as select sum(total) from orders;
  create type mood as enum ('sad', 'glad');
  create domain positive as int check (value > 0);
  create table kinds (p positive, m mood, l text[], b bytea, t timestamptz, j jsonb, n text);
  insert into kinds values (7, 'glad', '{a,"b,c"}', '\\x00ff', '2026-01-02 03:04:05.678901+00', '{"a": 1}', null);
  create function sneaky() returns int language plpgsql as $$ begin insert into orders values (99); return 1; end $$;
  create procedure sneak() language sql as $$ insert into orders values (98) $$;
  create sequence numbers;
  create extension dblink;
  create extension tablefunc;
  grant usage on schema public to owner_user, reader_user;
  grant select on all tables in schema public to reader_user;
  create schema hidden;
  create table hidden.secret (id int);
`

/** What a superuser could do, who may do everything. */
const WRITES = [
  'insert into orders values (2)',
  'update orders set note = null',
  'delete from orders',
  'truncate orders',
  'drop table orders',
  'create table more (id int)',
  'create temp table more (id int)',
  'select * into more from orders',
  'with x as (delete from orders returning *) select * from x',
  'explain analyze delete from orders',
  'explain (analyze) insert into orders values (3)',
  'select * from orders for update',
  'commit; delete from orders',
  'select 1; rollback; delete from orders',
  'end',
  'begin read write',
  'savepoint a',
  "prepare transaction 'x'",
  'set transaction read write',
  'set default_transaction_read_only = off',
  'set session characteristics as transaction read write',
  'set role postgres',
  'reset all',
  'discard all',
  `select set_config('transaction_read_only', 'off', false)`,
  `select pg_catalog . "set_config" /* - */ ('transaction_read_only', 'off', true)`,
  `select U&"\\0073et_config"('transaction_read_only', 'off', true)`,
  "do $$ begin execute 'commit'; delete from orders; end $$",
  'call sneak()',
  'select sneaky()',
  'select public.sneaky() from orders',
  'prepare p as delete from orders',
  'execute p',
  `copy orders to '${STOLEN_FILE}'`,
  `copy orders to program 'true'`,
  "copy orders from program 'echo 5'",
  "load 'plpgsql'",
  'lock table orders',
  'listen x',
  'notify x',
  `select pg_notify('x', '')`,
  `select nextval('numbers')`,
  `select setval('numbers', 5)`,
  `select pg_read_file('/etc/passwd')`,
  `select lo_export(lo_creat(-1), '${STOLEN_FILE}')`,
  `select lo_import('/etc/passwd')`,
  'select pg_terminate_backend(pg_backend_pid())',
  'select pg_reload_conf()',
  'select pg_advisory_lock(1)',
  'select pg_switch_wal()',
  `select dblink_exec('dbname=shop', 'delete from orders')`,
  `select * from dblink('dbname=shop', 'delete from orders returning 1') as t(a int)`,
  `select * from crosstab('select dblink_exec(''dbname=shop'', ''delete from orders'')') as t(a int)`,
  `select query_to_xml('select sneaky()', true, true, '')`,
  'vacuum orders',
  'refresh materialized view totals',
  'alter system set work_mem = 1',
  'security label on table orders is null',
  // What our lexer takes for a string and the server does not, or the other way round, must come to nothing as well.
  `select 'a\\'; delete from orders; --'`,
  `select e'a\\'; delete from orders; --'; commit`,
  'select $a$ $b$; delete from orders; $a$ as x; commit',
]

const BROKEN_WRITES = ['select (1; delete from orders; commit; )', "select 1 'x'; delete from orders"]

const READS = [
  'select count(*) from orders where id in (1, 2)',
  '(select 1) union (select 2)',
  'with x as (select 1 as a) select a from x',
  'values (1), (2)',
  'table orders',
  'show search_path',
  'explain analyze select * from orders',
  `select now(), random(), gen_random_uuid(), pg_size_pretty(pg_database_size('shop'))`,
  `select $$delete from orders; commit$$ as text, 'set_config(1)' as other -- commit;`,
  'select * from orders tablesample system (100)',
]

const sql: ConformanceServer['sql'] = {
  million: `select g, repeat('x', 300) from generate_series(1, 1000000) g`,
  slow: 'select pg_sleep(60)',
  values: {
    statement: `select p, m, l, b, t, j, n, 1.50::numeric(5,2) as d, 'x'::char(3) as c from kinds`,
    columns: [
      { name: 'p', type: 'positive' },
      { name: 'm', type: 'mood' },
      { name: 'l', type: 'text[]' },
      { name: 'b', type: 'bytea' },
      { name: 't', type: 'timestamp with time zone' },
      { name: 'j', type: 'jsonb' },
      { name: 'n', type: 'text' },
      { name: 'd', type: 'numeric(5,2)' },
      { name: 'c', type: 'character(3)' },
    ],
    row: ['7', 'glad', '{a,"b,c"}', '\\x00ff', '2026-01-02 03:04:05.678901+00', '{"a": 1}', null, '1.50', 'x  '],
  },
  several: `select 1 as one; do $$ begin raise notice 'hello'; end $$; select 2 as two`,
  mistake: { statement: 'select 1;\nselect\n  𝛼.nope from orders', code: '42P01', place: [3, 3] },
  writes: WRITES,
  brokenWrites: BROKEN_WRITES,
  reads: READS,
  grantWriting: 'grant insert on orders to new_reader',
}

async function prepare(superuser: (database?: string) => Promise<pg.Client>): Promise<void> {
  const root = await superuser()
  await root.query(`
    create role owner_user superuser login password ${quoted(PASSWORD)};
    create role reader_user login password ${quoted(PASSWORD)};
    create role new_admin login password ${quoted(PASSWORD)};
    create role new_reader login password ${quoted(PASSWORD)};
    create role "somebody else";
    create role rds_superuser;
    create role cloudsqlsuperuser`)
  await root.query('create database theirs owner "somebody else"')
  await root.query('create database shop')
  await root.end()
  const shop = await superuser('shop')
  await shop.query(SCHEMA)
  await shop.end()
}

function serverOver(
  superuser: (database?: string) => Promise<pg.Client>,
  version: string,
  login: (username: string, isReader?: boolean) => Login,
): Omit<ConformanceServer, 'stop'> {
  const ask = async (...statements: string[]): Promise<{ n: string }[]> => {
    const client = await superuser('shop')
    try {
      let rows: { n: string }[] = []
      for (const statement of statements) rows = (await client.query<{ n: string }>(statement)).rows
      return rows
    } finally {
      await client.end()
    }
  }
  return {
    engine: 'postgres',
    version,
    owner: login('owner_user'),
    reader: login('reader_user', true),
    newAdmin: login('new_admin'),
    newReader: login('new_reader'),
    sql,
    run: async (...statements) => void (await ask(...statements)),
    openSessions: async () =>
      Number((await ask(`select count(*) as n from pg_stat_activity where usename ~ '^(owner|reader|new)_'`))[0]?.n),
    countOrders: async () => Number((await ask('select count(*) as n from orders'))[0]?.n),
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Without client certificates. */
export const postgres18: ConformanceRow = {
  title: 'PostgreSQL 18, verify-full',
  tools: ['openssl'],
  async start() {
    const authority = createTestAuthority('PostgreSQL authority')
    const upstream = await startUpstreamPostgres({
      tls: authority.issue(['localhost']),
      hba: ['hostssl all all 127.0.0.1/32 scram-sha-256'],
      settings: ['max_connections=60'],
    })
    await prepare(upstream.superuser)
    const route: Partial<DataSourceRoute> = {
      host: 'localhost',
      database: 'shop',
      tlsMode: 'verify-full',
      tlsCa: authority.caPem,
    }
    const login = (username: string): Login => ({
      route: testRoute(upstream.port, { ...route, username }),
      secrets: { password: new Secret(PASSWORD) },
    })
    return {
      ...serverOver(upstream.superuser, '18.', login),
      async stop() {
        await upstream.stop()
        authority.remove()
      },
    }
  },
}

/** Every login shows a client certificate; the reader's server is a streaming replica. */
export const postgresWithReplica: ConformanceRow = {
  title: "Debian's PostgreSQL with a streaming replica, verify-ca and client certificates",
  tools: ['openssl', 'pgbench'],
  // The thousand are another row's; a session through a certificate check takes its time.
  opens: 200,
  async start() {
    const authority = createTestAuthority('PostgreSQL authority')
    const clients = createTestAuthority('Clients')
    const cluster = await startDebianPostgresCluster(authority.issue(['db.test']), clients.caPem)
    await prepare(cluster.superuser)
    const identity = clients.issue(['client'])
    const route: Partial<DataSourceRoute> = {
      database: 'shop',
      tlsMode: 'verify-ca',
      tlsCa: authority.caPem,
      tlsClientCertificate: identity.certificateChainPem,
    }
    const login = (username: string, isReader = false): Login => ({
      route: testRoute(isReader ? cluster.replicaPort : cluster.port, {
        ...route,
        username,
        extraParameters: { target_session_attrs: isReader ? 'standby' : 'read-write' },
      }),
      secrets: { password: new Secret(PASSWORD), tlsClientKey: new Secret(identity.privateKeyPem) },
    })
    return {
      ...serverOver(cluster.superuser, '', login),
      isReplica: true,
      async stop() {
        await cluster.stop()
        authority.remove()
        clients.remove()
      },
    }
  },
}
