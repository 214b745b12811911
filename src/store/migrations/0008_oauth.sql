-- Filled while it is unreleased.

-- Identity providers: through whom people sign in, and whose tokens speak for a service principal.

create table sso_provider (
  id uuid primary key,
  workspace_id bigint not null references workspace on delete cascade,
  name text not null,
  issuer text not null,
  issuer_ca text,
  client_id text not null,
  client_secret_sealed bytea,
  scopes text[] not null,
  email_claim text not null,
  name_claim text not null,
  groups_claim text,
  email_domains text[] not null,
  creates_users boolean not null,
  enforced boolean not null,
  created_at timestamptz not null default now(),
  constraint sso_provider_name_is_unique unique (workspace_id, name)
);
comment on table sso_provider is
  'An OpenID Connect issuer through which people sign in to a workspace. Its issuer never changes: links are by (issuer, subject).';
comment on column sso_provider.client_secret_sealed is 'Opens for the issuer that it was given for, and for no other. Null: a public client.';

create table sso_identity (
  provider_id uuid not null references sso_provider on delete cascade,
  subject text not null,
  principal_id bigint not null references user_account on delete cascade,
  created_at timestamptz not null default now(),
  last_sign_in_at timestamptz,
  primary key (provider_id, subject),
  constraint sso_identity_is_single unique (provider_id, principal_id)
);
create index sso_identity_by_principal on sso_identity (principal_id);
comment on table sso_identity is 'Which user a subject of an issuer is. Made at the first sign-in, by e-mail; from then on the e-mail plays no part.';

create table sso_membership (
  provider_id uuid not null references sso_provider on delete cascade,
  principal_id bigint not null references user_account on delete cascade,
  group_id bigint not null references principal_group on delete cascade,
  primary key (provider_id, principal_id, group_id)
);
create index sso_membership_by_principal on sso_membership (principal_id);
create index sso_membership_by_group on sso_membership (group_id);
comment on table sso_membership is 'Direct memberships that a claim gave, so that the next sign-in takes those away that it no longer names.';

create table federation_policy (
  id uuid primary key,
  principal_id bigint not null references service_principal on delete cascade,
  name text not null,
  issuer text not null,
  issuer_ca text,
  jwks_uri text,
  audiences text[] not null,
  subject_claim text not null,
  subject text not null,
  created_at timestamptz not null default now(),
  constraint federation_policy_name_is_unique unique (principal_id, name)
);
comment on table federation_policy is
  'Whose tokens a service principal may exchange for access tokens: issuer, audience and subject, all compared exactly.';

-- Who let which client act for him. The grants themselves are artifacts, one for each sign-in.

create table oauth_consent (
  workspace_id bigint not null references workspace on delete cascade,
  principal_id bigint not null references principal on delete cascade,
  client_id text not null,
  created_at timestamptz not null default now(),
  primary key (workspace_id, principal_id, client_id)
);
create index oauth_consent_by_principal on oauth_consent (principal_id);
comment on table oauth_consent is 'Clients that a person allowed once: they are not asked about again.';

create index oauth_artifact_by_uid on oauth_artifact (workspace_id, model, uid) where uid is not null;
create unique index oauth_artifact_user_code_is_unique on oauth_artifact (workspace_id, model, user_code) where user_code is not null;
