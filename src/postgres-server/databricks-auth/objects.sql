-- databricks_auth: makes Postgres roles for users, service principals and groups of Postern, from SQL.
-- Every object belongs to Postern's own user. Nothing here decides alone: Postern checks each request again before anybody can
-- log in with the new role (docs/design/0018).

create schema databricks_auth;
comment on schema databricks_auth is 'What Postern and databricks_create_role tell each other. Only Postern writes here.';

-- pg_write_all_data, which administrators have, writes to every table; these refuse it all the same.
create function databricks_auth.only_owner_writes() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if (select c.relowner from pg_catalog.pg_class c where c.oid = tg_relid) <> (current_user::pg_catalog.regrole)::oid then
    raise insufficient_privilege using message = format('only Postern writes to %I.%I', tg_table_schema, tg_table_name);
  end if;
  return null;
end $$;

create table databricks_auth.setting (
  singleton boolean primary key default true check (singleton),
  instance_id text not null,
  modulus numeric not null,
  marker name
);
comment on table databricks_auth.setting is 'Which instance this is, the public key (RSA, exponent 65537) of the statements that sessions carry, and the group of all bound roles, where there is one.';

create table databricks_auth.identity (
  identity_type text not null,
  name_digest bytea not null,
  identity_id bigint not null,
  primary key (identity_type, name_digest)
);
comment on table databricks_auth.identity is 'Who may be given a role: SHA-256 of TYPE:name, so that whoever may read everything reads no names.';

create table databricks_auth.bound_role (
  role_oid oid primary key,
  identity_type text not null,
  identity_id bigint not null
);
comment on table databricks_auth.bound_role is 'The bound Postgres roles of the instance.';

create table databricks_auth.request (
  role_oid oid primary key,
  role_name name not null,
  identity_type text not null,
  identity_id bigint not null,
  session_statement text not null,
  requested_at timestamptz not null,
  refusal text
);
comment on table databricks_auth.request is 'Roles that were made here and wait for Postern, and those that it refused and removed.';

create trigger only_owner_writes before insert or update or delete or truncate on databricks_auth.setting
  for each statement execute function databricks_auth.only_owner_writes();
create trigger only_owner_writes before insert or update or delete or truncate on databricks_auth.identity
  for each statement execute function databricks_auth.only_owner_writes();
create trigger only_owner_writes before insert or update or delete or truncate on databricks_auth.bound_role
  for each statement execute function databricks_auth.only_owner_writes();
create trigger only_owner_writes before insert or update or delete or truncate on databricks_auth.request
  for each statement execute function databricks_auth.only_owner_writes();
alter table databricks_auth.setting enable always trigger only_owner_writes;
alter table databricks_auth.identity enable always trigger only_owner_writes;
alter table databricks_auth.bound_role enable always trigger only_owner_writes;
alter table databricks_auth.request enable always trigger only_owner_writes;

create function databricks_auth.number_of(bytes bytea) returns numeric
  language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
declare
  number numeric := 0;
begin
  for at in 0 .. length(bytes) / 4 - 1 loop
    number := number * 4294967296 + get_byte(bytes, 4 * at)::bigint * 16777216
      + get_byte(bytes, 4 * at + 1) * 65536 + get_byte(bytes, 4 * at + 2) * 256 + get_byte(bytes, 4 * at + 3);
  end loop;
  return number;
end $$;

-- RSASSA-PKCS1-v1_5 with SHA-256 and 2048 bits (RFC 8017, section 8.2.2): the whole encoded message is compared.
create function databricks_auth.is_signed(message text, signature bytea, modulus numeric) returns boolean
  language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
declare
  base numeric;
  power numeric;
begin
  if length(signature) <> 256 then return false; end if;
  base := databricks_auth.number_of(signature);
  if base >= modulus then return false; end if;
  power := base;
  for squaring in 1 .. 16 loop power := mod(power * power, modulus); end loop;
  power := mod(power * base, modulus);
  return power = databricks_auth.number_of(
    decode('0001' || repeat('ff', 202) || '003031300d060960864801650304020105000420', 'hex') || sha256(convert_to(message, 'UTF8')));
end $$;

-- What Postern signed of this session: {instance, cluster, role oid, principal, expiry}. Null where it signed nothing that fits:
-- the setting is any text that the session likes, so only the signature makes it worth something.
create function databricks_auth.session_statement(instance_id text, modulus numeric) returns text[]
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  parts text[] := string_to_array(current_setting('postern.session', true), ':');
begin
  if array_length(parts, 1) is distinct from 7 or parts[1] <> 'v1'
      or length(parts[7]) <> 512 or parts[7] ~ '[^0-9a-f]' then return null; end if;
  if not databricks_auth.is_signed(array_to_string(parts[1:6], ':'), decode(parts[7], 'hex'), modulus) then return null; end if;
  if parts[2] <> instance_id then return null; end if;
  if parts[3] <> (select system_identifier::text from pg_control_system()) then return null; end if;
  if parts[4] <> (select oid::text from pg_roles where rolname = session_user) then return null; end if;
  return parts;
end $$;

create function @extschema@.databricks_create_role(identity_name text, identity_type text) returns void
  language plpgsql volatile strict security definer set search_path = pg_catalog, pg_temp as $$
declare
  kind text := upper(identity_type);
  known databricks_auth.setting%rowtype;
  signed text[];
  expires_at timestamptz;
  principal_id bigint;
begin
  if kind not in ('USER', 'SERVICE_PRINCIPAL', 'GROUP') then
    raise invalid_parameter_value using message = format('unknown identity type %L', identity_type),
      hint = 'Give USER, SERVICE_PRINCIPAL or GROUP.';
  end if;

  -- A database where the extension was made a moment ago is still unknown to Postern.
  for attempt in 1 .. 100 loop
    select * into known from databricks_auth.setting;
    exit when found;
    perform pg_sleep(0.1);
  end loop;
  if known.instance_id is null then
    raise object_not_in_prerequisite_state using message = 'databricks_auth is not known to Postern yet',
      hint = 'Commit CREATE EXTENSION first, use READ COMMITTED, and call again in a few seconds.';
  end if;

  signed := databricks_auth.session_statement(known.instance_id, known.modulus);
  if signed is null then
    raise invalid_authorization_specification
      using message = 'databricks_create_role works only in a session that was opened with a database credential',
      hint = 'Log in through the gateway with a database credential as the password, not as a native Postgres role.';
  end if;
  expires_at := to_timestamp(signed[6]::bigint);
  if clock_timestamp() >= expires_at then
    raise invalid_authorization_specification
      using message = format('the database credential of this session expired at %s', expires_at at time zone 'UTC'),
      hint = 'Plain SQL goes on. To make Postgres roles for identities, get a new credential and open a new session.';
  end if;

  -- A principal that was made a moment ago is on its way here.
  for attempt in 1 .. 10 loop
    select i.identity_id into principal_id from databricks_auth.identity i
      where i.identity_type = kind and i.name_digest = sha256(convert_to(kind || ':' || identity_name, 'UTF8'));
    exit when found;
    perform pg_sleep(0.1);
  end loop;
  if principal_id is null then
    raise undefined_object
      using message = format('no %s named %L can be given a Postgres role', replace(lower(kind), '_', ' '), identity_name),
      hint = 'It must belong to the workspace of this instance, be active, and be named exactly: capitals count. Groups must be assigned to the workspace themselves.';
  end if;
  if principal_id::text <> signed[5] and not (select r.rolcreaterole from pg_roles r where r.rolname = session_user) then
    raise insufficient_privilege using message = 'to make a Postgres role for somebody else, CREATEROLE is needed';
  end if;
  if exists (select from pg_roles r where r.rolname = identity_name) then
    raise duplicate_object using message = format('role %I already exists', identity_name),
      hint = 'A role that exists is never given to an identity. databricks_list_roles shows the ones that have theirs.';
  end if;

  execute format('create role %I login inherit nosuperuser noreplication nocreatedb nocreaterole nobypassrls', identity_name);
  if known.marker is not null then
    execute format('grant %I to %I with inherit false, set false', known.marker, identity_name);
  end if;
  -- Comments of roles are seen from every database: Postern need not look into each.
  execute format('comment on role %I is %L', identity_name,
    'databricks_auth: waits for Postern, from database ' || (select d.oid from pg_database d where d.datname = current_database()));
  insert into databricks_auth.request (role_oid, role_name, identity_type, identity_id, session_statement, requested_at)
    select r.oid, r.rolname, kind, principal_id, array_to_string(signed, ':'), clock_timestamp()
    from pg_roles r where r.rolname = identity_name;
end $$;

create view @extschema@.databricks_list_roles as
  select r.rolname as role_name, pg_catalog.lower(b.identity_type) as identity_type, b.identity_id, 'bound'::text as state,
    null::text as reason
  from databricks_auth.bound_role b join pg_catalog.pg_roles r on r.oid operator(pg_catalog.=) b.role_oid
  union all
  select q.role_name, pg_catalog.lower(q.identity_type), q.identity_id,
    case when q.refusal is null then 'pending'::text else 'refused'::text end, q.refusal
  from databricks_auth.request q;

revoke all on function databricks_auth.only_owner_writes(), databricks_auth.number_of(bytea),
  databricks_auth.is_signed(text, bytea, numeric), databricks_auth.session_statement(text, numeric) from public;
grant select on @extschema@.databricks_list_roles to public;
