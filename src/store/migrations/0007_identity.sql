-- Identities in several workspaces: whose a principal is, which workspace came first, passwords that somebody resets.

alter table workspace add column is_first boolean not null default false;
update workspace set is_first = true where id = (select id from workspace order by created_at, id limit 1);
create unique index workspace_first_is_single on workspace (is_first) where is_first;
comment on column workspace.is_first is 'The workspace that the first start made. Its administrators create the other ones.';

alter table principal
  add column home_workspace_id bigint references workspace on delete set null,
  add column external_id text,
  add constraint principal_external_id_is_short check (length(external_id) between 1 and 255);
update principal p set home_workspace_id = coalesce(
  (select min(a.workspace_id) from workspace_assignment a where a.principal_id = p.id),
  (select id from workspace where is_first));
create index principal_by_home on principal (home_workspace_id, kind);
-- Names of groups are compared exactly: Postgres does so with the roles that are named after them.
create unique index principal_group_name_is_unique on principal (home_workspace_id, display_name) where kind = 'group';
comment on column principal.home_workspace_id is
  'The workspace whose administrators change and delete it, wherever else it is assigned. Null: those of the first workspace.';
comment on column principal.external_id is 'What the identity provider that provisions it calls it.';

create table password_reset (
  principal_id bigint primary key references user_account on delete cascade,
  secret_hash bytea not null constraint password_reset_hash_is_sha256 check (length(secret_hash) = 32),
  expires_at timestamptz not null
);
comment on table password_reset is 'The one reset secret of a user that is good once, until it expires. 256 random bits, so a plain SHA-256 is enough.';
