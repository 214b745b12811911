-- The catalogue: what Postern knows of the databases of an instance, and the runs that read it. A run writes these tables and
-- nothing of an instance itself, so that it never undoes what somebody changed meanwhile.

create table sync_run (
  id uuid primary key,
  instance_id uuid not null references instance on delete cascade,
  reason text not null constraint sync_run_reason_is_known check (reason in ('creation', 'demand', 'schedule', 'manage_mode')),
  requested_by bigint references principal on delete set null,
  databases text[],
  state text not null default 'QUEUED' constraint sync_run_state_is_known
    check (state in ('QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
  attempts integer not null default 0,
  lease_holder uuid,
  lease_until timestamptz,
  cancel_requested boolean not null default false,
  databases_total integer,
  databases_done integer not null default 0,
  schemas_done integer not null default 0,
  tables_done bigint not null default 0,
  problem_count integer not null default 0,
  problems jsonb not null default '[]',
  failure_code text,
  failure text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  constraint sync_run_has_a_lease_while_it_runs check ((state = 'RUNNING') = (lease_holder is not null)),
  constraint sync_run_ends_at_a_time check ((state in ('DONE', 'FAILED', 'CANCELLED')) = (finished_at is not null))
);
create unique index sync_run_waits_once on sync_run (instance_id) where state = 'QUEUED';
create unique index sync_run_runs_once on sync_run (instance_id) where state = 'RUNNING';
create index sync_run_by_instance on sync_run (instance_id, created_at desc, id desc);
comment on table sync_run is 'A reading of the catalogue of one instance: asked for, claimed by one node for as long as its lease, ended. databases null: all that the instance is to have.';

create table catalog_database (
  id uuid primary key,
  instance_id uuid not null references instance on delete cascade,
  name text not null,
  character_set text,
  collation_name text,
  size_bytes bigint,
  service_name text,
  synced_at timestamptz,
  stale boolean not null default false,
  problem_code text,
  problem text,
  run_id uuid not null,
  constraint catalog_database_name_is_unique unique (instance_id, name)
);
comment on table catalog_database is 'A database as it was last read. stale: the last reading failed, and what stands here is from the one before.';

create table catalog_schema (
  database_id uuid not null references catalog_database on delete cascade,
  name text not null,
  stale boolean not null default false,
  problem_code text,
  problem text,
  run_id uuid not null,
  primary key (database_id, name)
);
comment on table catalog_schema is 'A schema as it was last read; engines without schemas have one, named by the empty text.';

create table catalog_table (
  database_id uuid not null,
  schema_name text not null,
  name text not null,
  kind text not null constraint catalog_table_kind_is_known
    check (kind in ('table', 'view', 'materialized_view', 'foreign_table')),
  row_estimate bigint,
  size_bytes bigint,
  comment text,
  definition text,
  columns jsonb not null,
  indexes jsonb not null,
  search_text text not null,
  run_id uuid not null,
  primary key (database_id, schema_name, name),
  foreign key (database_id, schema_name) references catalog_schema on delete cascade
);
comment on table catalog_table is 'A table or view with its columns and indexes. search_text: its name and those of its columns, in lower case.';
