-- Secrets that live in other systems: the sealed value of such a field is the reference with what it is logged in with.

alter table data_source
  add column external_references jsonb not null default '{}'
    constraint data_source_external_references_are_an_object check (jsonb_typeof(external_references) = 'object');
comment on column data_source.external_references is 'Field of a secret → where it lives, without anything secret. It is part of the destination that the secrets are sealed for.';
alter table data_source_secret
  drop constraint data_source_secret_field_is_known,
  add constraint data_source_secret_field_is_known check (
    field in ('username', 'password', 'tlsClientKey', 'privateKey', 'privateKeyPassphrase', 'accessToken', 'serviceAccount')
    or field ~ '^ssh\.[0-9]\.(password|privateKey|passphrase)$');
