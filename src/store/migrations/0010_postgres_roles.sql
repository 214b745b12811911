-- What a Postgres role means beyond its binding: logins by password, and what an instance opts in to.

alter table instance
  add column native_login_roles text[] not null default '{}',
  add column access_token_login_enabled boolean not null default false,
  add column end_sessions_on_revocation boolean not null default false;
comment on column instance.native_login_roles is 'Postgres roles that may log in by password although they are superusers, may replicate or are the user of a data source.';
comment on column instance.access_token_login_enabled is 'Access tokens of the workspace are taken as passwords, besides database credentials.';
comment on column instance.end_sessions_on_revocation is 'Open sessions end when what allowed their login is gone.';

create index postgres_role_binding_by_role on postgres_role_binding (system_identifier, role_oid);

-- Postgres roles that are made in SQL, by databricks_create_role.

create table session_statement_key (
  singleton boolean primary key default true constraint session_statement_key_is_one check (singleton),
  private_key_sealed bytea not null,
  created_at timestamptz not null default now()
);
comment on table session_statement_key is 'RSA key of what Postern signs of sessions, for databricks_create_role to verify. Sealed.';

create table sql_extension (
  instance_id uuid not null references instance on delete cascade,
  database text not null,
  created_by bigint references principal on delete set null,
  created_at timestamptz not null default now(),
  primary key (instance_id, database)
);
comment on table sql_extension is 'External instances'' databases in which the objects of databricks_auth were installed. On managed ones they are found.';

create function announce_sql_roles() returns trigger language plpgsql as $$
begin
  perform pg_notify('postern_sql_roles', '');
  return null;
end $$;
create trigger announce_sql_roles after insert or update or delete on principal
  for each statement execute function announce_sql_roles();
create trigger announce_sql_roles after insert or update or delete on user_account
  for each statement execute function announce_sql_roles();
create trigger announce_sql_roles after insert or update or delete on group_member
  for each statement execute function announce_sql_roles();
create trigger announce_sql_roles after insert or update or delete on workspace_assignment
  for each statement execute function announce_sql_roles();
create trigger announce_sql_roles after insert or update or delete on postgres_role_binding
  for each statement execute function announce_sql_roles();
create trigger announce_sql_roles after insert or update or delete on sql_extension
  for each statement execute function announce_sql_roles();
