-- The spine: identities, keys, instances, Postgres role bindings, audit.
-- Rules kept by every table: ids are immutable; a secret column holds sealed bytes only (crypto/seal); verification keys are
-- never stored, they are derived from opened private keys; constraint names say the rule that they enforce.

create table deployment (
  singleton boolean primary key default true constraint deployment_has_one_row check (singleton),
  id uuid not null default gen_random_uuid(),
  key_check bytea not null,
  created_at timestamptz not null default now()
);
comment on table deployment is 'One row: which deployment this store belongs to, and a sealed value that only the right master key opens.';

create table workspace (
  id bigint primary key,
  name text not null constraint workspace_name_is_unique unique,
  gateway_domain text not null constraint workspace_gateway_domain_is_unique unique,
  created_at timestamptz not null default now(),
  constraint workspace_name_is_short check (length(name) between 1 and 63)
);
comment on table workspace is 'A team''s own space: its principals, instances, keys and authorization server.';

create table workspace_host (
  host text primary key,
  workspace_id bigint not null references workspace on delete cascade,
  constraint workspace_host_is_lower_case check (host = lower(host))
);
comment on table workspace_host is 'Host header values (name, or name:port) that select a workspace, matched exactly.';

create table principal (
  id bigint primary key,
  kind text not null constraint principal_kind_is_known check (kind in ('user', 'service_principal', 'group')),
  display_name text not null constraint principal_display_name_is_short check (length(display_name) between 1 and 255),
  active boolean not null default true,
  created_at timestamptz not null default now(),
  constraint principal_kind_is_immutable unique (id, kind)
);
comment on table principal is 'Whoever may act: user, service principal or group. Everything else refers to its immutable id.';

create table user_account (
  principal_id bigint primary key,
  kind text not null default 'user' constraint user_account_is_a_user check (kind = 'user'),
  email text not null,
  password_hash text,
  foreign key (principal_id, kind) references principal (id, kind) on delete cascade
);
create unique index user_account_email_is_unique on user_account (lower(email));
comment on table user_account is 'A person. password_hash is argon2id, or null where sign-in happens elsewhere.';

create table service_principal (
  principal_id bigint primary key,
  kind text not null default 'service_principal' constraint service_principal_is_one check (kind = 'service_principal'),
  client_id uuid not null constraint service_principal_client_id_is_unique unique,
  foreign key (principal_id, kind) references principal (id, kind) on delete cascade
);
comment on table service_principal is 'A program. client_id is its OAuth client id and the name of its Postgres roles.';

create table service_principal_secret (
  id uuid primary key,
  principal_id bigint not null references service_principal on delete cascade,
  secret_hash bytea not null constraint service_principal_secret_hash_is_sha256 check (length(secret_hash) = 32),
  hint text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz
);
create index service_principal_secret_by_principal on service_principal_secret (principal_id);
comment on table service_principal_secret is 'At most five per service principal. 256 random bits each, so a plain SHA-256 is enough. expires_at null: never.';

create table principal_group (
  principal_id bigint primary key,
  kind text not null default 'group' constraint principal_group_is_a_group check (kind = 'group'),
  foreign key (principal_id, kind) references principal (id, kind) on delete cascade
);
comment on table principal_group is 'A group. Its members are principals, other groups included.';

create table group_member (
  group_id bigint not null references principal_group on delete cascade,
  member_id bigint not null references principal on delete cascade,
  primary key (group_id, member_id),
  constraint group_member_is_not_itself check (group_id <> member_id)
);
create index group_member_by_member on group_member (member_id);
comment on table group_member is 'Direct membership; indirect membership is the transitive closure, read at login.';

create table workspace_assignment (
  workspace_id bigint not null references workspace on delete cascade,
  principal_id bigint not null references principal on delete cascade,
  role text not null constraint workspace_assignment_role_is_known check (role in ('admin', 'dba', 'member')),
  primary key (workspace_id, principal_id)
);
create index workspace_assignment_by_principal on workspace_assignment (principal_id);
comment on table workspace_assignment is 'Who belongs to a workspace, and with which workspace role.';

create table instance (
  id uuid primary key,
  workspace_id bigint not null references workspace on delete cascade,
  name text not null,
  kind text not null constraint instance_kind_is_known check (kind in ('external', 'managed')),
  engine text not null constraint instance_engine_is_known check (engine in ('postgres')),
  state text not null constraint instance_state_is_known
    check (state in ('STARTING', 'AVAILABLE', 'UPDATING', 'STOPPED', 'DELETING', 'FAILED')),
  state_reason text,
  native_login_enabled boolean not null default false,
  default_database text not null,
  server_version text,
  system_identifier text,
  creator_id bigint references principal on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version bigint not null default 1,
  constraint instance_name_is_unique unique (workspace_id, name),
  constraint instance_name_is_a_host_label check (name ~ '^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$')
);
comment on table instance is 'A database server that Postern guards. version is the etag.';

create table managed_instance (
  instance_id uuid primary key references instance on delete cascade,
  node_id uuid not null,
  slot integer not null,
  desired text not null constraint managed_instance_desired_is_known check (desired in ('running', 'stopped', 'deleted')),
  socket_path text,
  observed_at timestamptz,
  constraint managed_instance_slot_is_unique unique (node_id, slot)
);
comment on table managed_instance is 'A local Postgres that the supervisor of one node runs: desired state, and its socket once it has one.';

create table data_source (
  id uuid primary key,
  instance_id uuid not null references instance on delete cascade,
  type text not null constraint data_source_type_is_known check (type in ('admin', 'read_only')),
  host text not null,
  port integer not null constraint data_source_port_is_a_port check (port between 1 and 65535),
  database text not null,
  username text not null,
  login_method text not null default 'password' constraint data_source_login_method_is_known check (login_method in ('password')),
  tls_mode text not null constraint data_source_tls_mode_is_known check (tls_mode in ('disable', 'require', 'verify-ca', 'verify-full')),
  tls_ca text,
  password_sealed bytea,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index data_source_admin_is_single on data_source (instance_id) where type = 'admin';
comment on table data_source is 'One way to reach an instance. host is a folder for a Unix socket (managed instances). Sealed columns open only for the same destination.';

create table postgres_role_binding (
  id uuid primary key,
  instance_id uuid not null references instance on delete cascade,
  principal_id bigint not null references principal on delete cascade,
  role_name text not null constraint postgres_role_name_fits_postgres check (octet_length(role_name) between 1 and 63),
  role_oid bigint not null,
  system_identifier text not null,
  can_create_db boolean not null default false,
  can_create_role boolean not null default false,
  bypass_rls boolean not null default false,
  is_administrator boolean not null default false,
  login_key_sealed bytea,
  created_by bigint references principal on delete set null,
  created_at timestamptz not null default now(),
  constraint postgres_role_is_bound_once unique (instance_id, role_name)
);
create index postgres_role_binding_by_principal on postgres_role_binding (principal_id);
comment on table postgres_role_binding is 'A principal''s Postgres role on an instance, by principal id, cluster and role oid. login_key_sealed is null on managed instances (peer).';

create table signing_key (
  id uuid primary key,
  workspace_id bigint not null references workspace on delete cascade,
  purpose text not null constraint signing_key_purpose_is_known check (purpose in ('access_token', 'database_credential')),
  private_key_sealed bytea not null,
  created_at timestamptz not null default now(),
  active_from timestamptz not null,
  verify_until timestamptz
);
create index signing_key_by_workspace on signing_key (workspace_id, purpose);
comment on table signing_key is 'ES256 private keys, sealed. Current is the newest whose active_from has passed; verify_until is set when a newer one takes over.';

create table certificate (
  id uuid primary key,
  purpose text not null constraint certificate_purpose_is_known check (purpose in ('authority', 'server')),
  certificate_pem text not null,
  private_key_sealed bytea not null,
  names text[] not null default '{}',
  not_after timestamptz not null,
  created_at timestamptz not null default now()
);
comment on table certificate is 'Postern''s own certificate authority and the server certificates it issued, shared by all nodes.';

create table oauth_artifact (
  workspace_id bigint not null references workspace on delete cascade,
  model text not null,
  id text not null,
  payload jsonb not null,
  grant_id text,
  user_code text,
  uid text,
  expires_at timestamptz,
  consumed_at timestamptz,
  primary key (workspace_id, model, id)
);
create index oauth_artifact_by_grant on oauth_artifact (workspace_id, grant_id) where grant_id is not null;
create index oauth_artifact_by_expiry on oauth_artifact (expires_at) where expires_at is not null;
comment on table oauth_artifact is 'What the authorization servers keep: sessions, grants, codes. Rows of one workspace are invisible to another.';

create table audit_event (
  id uuid primary key,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  workspace_id bigint,
  action text not null,
  outcome text not null constraint audit_event_outcome_is_known check (outcome in ('allowed', 'denied', 'failed')),
  reason text,
  actor_id bigint,
  actor_name text,
  target_type text,
  target_id text,
  target_name text,
  session_id uuid,
  request_id text,
  peer text,
  detail jsonb not null default '{}'
);
create index audit_event_by_time on audit_event (workspace_id, occurred_at desc, id desc);
create index audit_event_by_session on audit_event (session_id) where session_id is not null;
comment on table audit_event is 'What happened and who did it. ids are made by the writer, so a record shipped twice is kept once.';
