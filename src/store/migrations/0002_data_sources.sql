-- Data sources of every engine: several per instance, with TLS material, SSH servers, fields of their own, and each secret in a
-- row of its own. Instances get what a list of them is searched by, and are kept for a while after they were deleted.

alter table instance
  drop constraint instance_engine_is_known,
  add constraint instance_engine_is_known check (engine in ('postgres', 'cockroachdb', 'redshift', 'mysql', 'mariadb', 'tidb',
    'clickhouse', 'oracle', 'snowflake', 'spanner')),
  drop constraint instance_state_is_known,
  add constraint instance_state_is_known
    check (state in ('STARTING', 'AVAILABLE', 'UPDATING', 'STOPPED', 'DELETING', 'DELETED', 'FAILED')),
  add column title text not null default '',
  add column environment text,
  add column labels jsonb not null default '{}',
  add column external_link text,
  add column manage_mode text constraint instance_manage_mode_is_known check (manage_mode in ('database', 'schema')),
  add column sync_interval_seconds integer constraint instance_sync_interval_is_a_minute check (sync_interval_seconds >= 60),
  add column sync_databases text[],
  add column deleted_at timestamptz,
  add constraint instance_labels_are_an_object check (jsonb_typeof(labels) = 'object'),
  add constraint instance_is_deleted_at_a_time check ((state = 'DELETED') = (deleted_at is not null));
create index instance_by_label on instance using gin (labels jsonb_path_ops);
comment on column instance.sync_interval_seconds is 'How often its catalogue is read again; null: only on demand.';
comment on column instance.sync_databases is 'Names of the databases that the catalogue holds; null: all.';
comment on column instance.deleted_at is 'Since when nobody can use it. Its name stays taken until it is purged.';

alter table data_source
  drop constraint data_source_login_method_is_known,
  add constraint data_source_login_method_is_known
    check (login_method in ('password', 'key_pair', 'access_token', 'service_account', 'ambient')),
  add column name text,
  add column title text not null default '',
  add column tls_client_certificate text,
  add column tls_files jsonb not null default '{}',
  add column ssh jsonb not null default '[]',
  add column fields jsonb not null default '{}',
  add column extra_parameters jsonb not null default '{}',
  add column tested boolean not null default true,
  add column weight integer not null default 1 constraint data_source_weight_is_positive check (weight between 1 and 1000),
  add column last_checked_at timestamptz,
  add column last_check_ok boolean,
  add column last_check_code text,
  add column last_check_lag_seconds double precision;
update data_source set name = case type when 'admin' then 'admin' else 'read-only-' || left(id::text, 8) end;
alter table data_source
  alter column name set not null,
  add constraint data_source_name_is_unique unique (instance_id, name),
  add constraint data_source_name_is_a_label check (name ~ '^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$');
comment on column data_source.ssh is 'SSH servers in the order in which they are passed, without secrets.';
comment on column data_source.tested is 'False: stored without a good connection test, and none was good since.';
comment on column data_source.last_check_ok is 'What the last check of its health found; null: none yet. Written by checks alone.';

create table data_source_secret (
  data_source_id uuid not null references data_source on delete cascade,
  field text not null constraint data_source_secret_field_is_known check (
    field in ('password', 'tlsClientKey', 'privateKey', 'privateKeyPassphrase', 'accessToken', 'serviceAccount')
    or field ~ '^ssh\.[0-9]\.(password|privateKey|passphrase)$'),
  sealed bytea not null,
  primary key (data_source_id, field)
);
comment on table data_source_secret is 'Secrets of data sources, each sealed for its data source, its field and its destination.';
insert into data_source_secret (data_source_id, field, sealed)
  select id, 'password', password_sealed from data_source where password_sealed is not null;
alter table data_source drop column password_sealed;
comment on table data_source is 'One way to reach an instance. host is a folder for a Unix socket (managed instances). Its secrets open only for the same destination.';

create table ssh_key (
  id uuid primary key,
  workspace_id bigint not null references workspace on delete cascade,
  title text not null default '',
  public_key text not null,
  private_key_sealed bytea not null,
  created_by bigint references principal on delete set null,
  created_at timestamptz not null default now()
);
create index ssh_key_by_workspace on ssh_key (workspace_id, created_at, id);
comment on table ssh_key is 'Key pairs for SSH that Postern made: the public half is put on SSH servers, the private half never leaves.';
