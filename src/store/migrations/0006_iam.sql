-- Logins that a cloud vouches for: no password is stored, and what stands in for it goes over verified TLS alone.

alter table data_source
  drop constraint data_source_login_method_is_known,
  add constraint data_source_login_method_is_known
    check (login_method in ('password', 'key_pair', 'access_token', 'service_account', 'ambient', 'aws_iam')),
  add constraint data_source_shows_tokens_to_verified_servers
    check (login_method <> 'aws_iam' or tls_mode in ('verify-ca', 'verify-full'));
alter table data_source_secret
  drop constraint data_source_secret_field_is_known,
  add constraint data_source_secret_field_is_known check (
    field in ('username', 'password', 'tlsClientKey', 'privateKey', 'privateKeyPassphrase', 'accessToken', 'serviceAccount', 'awsCredentials')
    or field ~ '^ssh\.[0-9]\.(password|privateKey|passphrase)$');
