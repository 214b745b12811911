/**
 * A certificate for `localhost` that signs itself, valid until 2126, and its key. For HTTP servers of tests on loopback:
 * nothing trusts it unless it is told to.
 */
export const localhostCertificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUDxPOQ/yvOdvXUnWb4L92f9Z4GTAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzA1MDUwOFoYDzIxMjYxMDMw
MDUwNTA4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATW9YTQ3mc48gqYghoRi0UjRDIbcU2BxzzIda+mrJyAQRwvFg7kZYki
7IuCSrThmeR9AJy4m6R3AT8zQaAprTd7o2kwZzAdBgNVHQ4EFgQUkKK/fjbzw1yr
ZAA1xFU1J5pNk9MwHwYDVR0jBBgwFoAUkKK/fjbzw1yrZAA1xFU1J5pNk9MwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAPuDZf6Gu2FB1hJ8ZzWVXSgBWfnnRpoI2R3tMpSzEZcrAiEAvGZh950g
CQj79BY23eNjtlPa26S/+X6eyeGZs4wiN78=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggC1MFTPbE+WhHqx4
GAqlkRusByqPB/UxYE8BSMZ/c9GhRANCAATW9YTQ3mc48gqYghoRi0UjRDIbcU2B
xzzIda+mrJyAQRwvFg7kZYki7IuCSrThmeR9AJy4m6R3AT8zQaAprTd7
-----END PRIVATE KEY-----
`,
}
