-- Cloud SQL and Azure Database are logged in to without a password, as RDS and Aurora are.

alter table data_source
  drop constraint data_source_login_method_is_known,
  add constraint data_source_login_method_is_known check (
    login_method in ('password', 'key_pair', 'access_token', 'service_account', 'ambient', 'aws_iam', 'gcp_iam', 'azure_entra')),
  drop constraint data_source_shows_tokens_to_verified_servers,
  add constraint data_source_shows_tokens_to_verified_servers
    check (login_method not in ('aws_iam', 'gcp_iam', 'azure_entra') or tls_mode in ('verify-ca', 'verify-full'));
alter table data_source_secret
  drop constraint data_source_secret_field_is_known,
  add constraint data_source_secret_field_is_known check (
    field in ('username', 'password', 'tlsClientKey', 'privateKey', 'privateKeyPassphrase', 'accessToken', 'serviceAccount',
      'awsCredentials', 'azureClientSecret')
    or field ~ '^ssh\.[0-9]\.(password|privateKey|passphrase)$');
