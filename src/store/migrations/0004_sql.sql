-- SQL that people run through Postern: who, where, and how it ended. The text is sealed, because statements hold secrets.

create table sql_execution (
  id uuid primary key,
  workspace_id bigint not null references workspace on delete cascade,
  principal_id bigint not null references principal on delete cascade,
  instance_id uuid references instance on delete set null,
  instance_name text not null,
  source text not null constraint sql_execution_source_is_known check (source in ('read_only', 'admin', 'self')),
  data_source_name text,
  postgres_role text,
  database text not null,
  statement_sealed bytea not null,
  statement_kind text not null,
  state text not null default 'RUNNING' constraint sql_execution_state_is_known
    check (state in ('RUNNING', 'DONE', 'FAILED', 'CANCELLED')),
  error_code text,
  sqlstate text,
  truncated text constraint sql_execution_truncation_is_known check (truncated in ('rows', 'bytes', 'time')),
  row_count bigint,
  byte_count bigint,
  elapsed_ms bigint,
  started_at timestamptz not null default now(),
  running_until timestamptz not null,
  constraint sql_execution_runs_as_someone check ((source = 'self') = (postgres_role is not null))
);
create index sql_execution_by_principal on sql_execution (workspace_id, principal_id, started_at desc, id desc);
create index sql_execution_by_age on sql_execution (started_at);
comment on table sql_execution is 'Statements that principals ran, for their own eyes: statement_sealed is opened for its principal alone. RUNNING past running_until: its node ended before it did.';
