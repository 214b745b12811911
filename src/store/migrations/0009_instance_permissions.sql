-- Who may use and manage one instance besides those whose workspace role says so, and who may make managed ones.

create table instance_permission (
  instance_id uuid not null references instance on delete cascade,
  principal_id bigint not null references principal on delete cascade,
  level text not null constraint instance_permission_level_is_known check (level in ('use', 'manage')),
  created_at timestamptz not null default now(),
  primary key (instance_id, principal_id)
);
create index instance_permission_by_principal on instance_permission (principal_id);
comment on table instance_permission is 'What was granted on an instance: use or manage. A group''s row holds for its members at any depth.';

create table instance_maker (
  workspace_id bigint not null references workspace on delete cascade,
  principal_id bigint not null references principal on delete cascade,
  created_at timestamptz not null default now(),
  primary key (workspace_id, principal_id)
);
create index instance_maker_by_principal on instance_maker (principal_id);
comment on table instance_maker is 'Who may create managed instances without being Workspace Admin or DBA.';

alter table instance
  add column compatible_settings jsonb not null default '{}';
comment on column instance.compatible_settings is 'Inputs of the compatible API that change nothing here, kept to be answered as they were given: capacity, usage policy, tags.';
