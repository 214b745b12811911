/** Who has to act. Drives log level, metric label and retry; never shown to a client. */
export type ErrorKind = 'caller' | 'denied' | 'absent' | 'conflict' | 'limit' | 'upstream' | 'dependency' | 'internal'

export interface ErrorRow {
  readonly kind: ErrorKind
  /** Status of the HTTP answer (RFC 9110). */
  readonly http: number
  /** SQLSTATE of the ErrorResponse that the gateway writes (PostgreSQL appendix A). */
  readonly sqlstate: string
  /** `error_code` of the compatible API (`/api/2.0`). */
  readonly apiCode: string
  /** `error` of an OAuth answer (RFC 6749 section 5.2, RFC 6750 section 3.1). */
  readonly oauth: string
  readonly retryable: boolean
  /** What happened, for the reference page. */
  readonly meaning: string
  /** What to do next, for the reference page and, where nothing better is known, as the hint. */
  readonly action: string
}

/** Every failure Postern reports, once. Add a row here; the compiler, the reference page and test/architecture name the rest. */
export const ERRORS = {
  INVALID_ARGUMENT: row('caller', 400, '22023', 'INVALID_PARAMETER_VALUE', 'invalid_request', 'A field of the request is missing, malformed or cannot be honoured.', 'Correct the field that the message names.'),
  MALFORMED_REQUEST: row('caller', 400, '08P01', 'MALFORMED_REQUEST', 'invalid_request', 'The request or message does not follow its protocol.', 'Check the client; the message says what was expected.'),
  REQUEST_TOO_LARGE: row('caller', 413, '54000', 'MALFORMED_REQUEST', 'invalid_request', 'The request is larger than the limit.', 'Send less in one request.'),
  UNAUTHENTICATED: row('denied', 401, '28000', 'UNAUTHENTICATED', 'invalid_token', 'No access token was sent, or it is not valid here.', 'Get a new access token from the token endpoint and send it as a Bearer token.'),
  ACCESS_TOKEN_EXPIRED: row('denied', 401, '28000', 'UNAUTHENTICATED', 'invalid_token', 'The access token has expired.', 'Get a new access token from the token endpoint.'),
  INVALID_CLIENT: row('denied', 401, '28000', 'UNAUTHENTICATED', 'invalid_client', 'The client id or secret is wrong, expired or revoked.', 'Check the client id and create a new secret if needed.'),
  PERMISSION_DENIED: row('denied', 403, '42501', 'PERMISSION_DENIED', 'access_denied', 'The caller is known but may not do this.', 'Ask a Workspace Admin for the role that the message names.'),
  AUTHENTICATION_FAILED: row('denied', 401, '28P01', 'UNAUTHENTICATED', 'access_denied', 'The login was refused. The reason is in the audit record.', 'Use a database credential as the password, issued for this instance.'),
  CREDENTIAL_EXPIRED: row('denied', 401, '28P01', 'UNAUTHENTICATED', 'access_denied', 'The database credential was valid and has expired.', 'Get a new database credential and connect again.'),
  CREDENTIAL_WRONG_INSTANCE: row('denied', 403, '28P01', 'PERMISSION_DENIED', 'access_denied', 'The database credential names other instances.', 'Get a database credential that names this instance.'),
  ROLE_NOT_BOUND: row('denied', 403, '28000', 'PERMISSION_DENIED', 'access_denied', 'The principal has no Postgres role on the instance, or not this one.', 'Ask a Workspace Admin or DBA to bind a Postgres role.'),
  PRINCIPAL_INACTIVE: row('denied', 403, '28000', 'PERMISSION_DENIED', 'access_denied', 'The principal is deactivated.', 'Ask a Workspace Admin.'),
  TLS_REQUIRED: row('denied', 400, '28000', 'MALFORMED_REQUEST', 'invalid_request', 'The client asked for a session without TLS.', 'Connect with sslmode=require or stronger.'),
  PROTOCOL_VIOLATION: row('caller', 400, '08P01', 'MALFORMED_REQUEST', 'invalid_request', 'The client sent a message that the Postgres protocol does not allow here.', 'Check the client library.'),
  FEATURE_NOT_SUPPORTED: row('caller', 501, '0A000', 'NOT_IMPLEMENTED', 'unsupported_grant_type', 'Postern does not offer this.', 'See the guide for what is offered instead.'),
  TARGET_UNNAMED: row('caller', 400, '08004', 'INVALID_PARAMETER_VALUE', 'invalid_request', 'Nothing in the login says which instance is meant.', 'Name it by host name (SNI), by options=endpoint=NAME or by a database of the form NAME/database.'),
  TARGET_CONFLICT: row('caller', 400, '08004', 'INVALID_PARAMETER_VALUE', 'invalid_request', 'The login names two different instances.', 'Name the instance once.'),
  NOT_FOUND: row('absent', 404, '42704', 'RESOURCE_DOES_NOT_EXIST', 'invalid_request', 'The named resource does not exist.', 'Check the name; list what exists.'),
  INSTANCE_NOT_FOUND: row('absent', 404, '3D000', 'RESOURCE_DOES_NOT_EXIST', 'invalid_request', 'No instance of this name exists in the workspace.', 'Check the name; list the instances.'),
  DATABASE_NOT_FOUND: row('absent', 404, '3D000', 'RESOURCE_DOES_NOT_EXIST', 'invalid_request', 'The database does not exist on the instance.', 'Check the name of the database.'),
  INSTANCE_NOT_AVAILABLE: row('conflict', 400, '57P03', 'INVALID_STATE', 'temporarily_unavailable', 'The instance is not AVAILABLE.', 'Wait for it, or start it.'),
  ALREADY_EXISTS: row('conflict', 409, '42710', 'RESOURCE_ALREADY_EXISTS', 'invalid_request', 'A resource of this name exists already.', 'Choose another name or change the existing one.'),
  ROLE_TAKEN: row('conflict', 409, '42710', 'RESOURCE_ALREADY_EXISTS', 'invalid_request', 'A Postgres role of this name exists on the instance and Postern did not make it.', 'Choose another name, or drop or rename the existing Postgres role first.'),
  ROLE_DRIFTED: row('conflict', 409, '28000', 'INVALID_STATE', 'access_denied', 'The Postgres role on the instance is not the one that was bound: its oid, cluster or password changed.', 'Have a Workspace Admin or DBA look at it and run role repair.'),
  ETAG_MISMATCH: row('conflict', 409, '40001', 'ABORTED', 'invalid_request', 'The resource was changed meanwhile.', 'Read it again and repeat the change.'),
  SECRET_REQUIRED: row('conflict', 400, '22023', 'INVALID_PARAMETER_VALUE', 'invalid_request', 'The destination of a data source changed, so its stored secrets cannot be used.', 'Enter the secrets again together with the change.'),
  RATE_LIMITED: row('limit', 429, '53400', 'REQUEST_LIMIT_EXCEEDED', 'temporarily_unavailable', 'Too many requests in a short time.', 'Wait for the time that Retry-After names.'),
  TOO_MANY_SECRETS: row('limit', 400, '53400', 'RESOURCE_EXHAUSTED', 'invalid_request', 'A service principal has at most five secrets.', 'Delete one that is no longer used.'),
  TOO_MANY_SESSIONS: row('limit', 503, '53300', 'RESOURCE_EXHAUSTED', 'temporarily_unavailable', 'The gateway has no room for another session.', 'Close sessions, or raise the limit.'),
  LOGIN_TIMEOUT: row('limit', 408, '57014', 'DEADLINE_EXCEEDED', 'invalid_request', 'The login was not finished in time.', 'Connect again.'),
  UPSTREAM_UNREACHABLE: row('upstream', 502, '08001', 'TEMPORARILY_UNAVAILABLE', 'temporarily_unavailable', 'The database did not answer at its address.', 'Check the host, the port and the firewall between Postern and the database.'),
  UPSTREAM_NAME_UNKNOWN: row('upstream', 502, '08001', 'TEMPORARILY_UNAVAILABLE', 'temporarily_unavailable', 'The host name of the database does not resolve.', 'Check the host name.'),
  UPSTREAM_ADDRESS_REFUSED: row('upstream', 400, '08001', 'INVALID_PARAMETER_VALUE', 'invalid_request', 'The address of the database is one that Postern never dials (link-local or cloud metadata).', 'Use the address of the database itself.'),
  UPSTREAM_TLS_REFUSED: row('upstream', 502, '08001', 'INVALID_STATE', 'temporarily_unavailable', 'The database does not offer TLS.', 'Switch TLS on at the database, or choose TLS mode disable by name.'),
  UPSTREAM_TLS_UNTRUSTED: row('upstream', 502, '08001', 'INVALID_STATE', 'temporarily_unavailable', 'The certificate of the database could not be verified.', 'Give the certificate authority, or correct the host name.'),
  UPSTREAM_AUTH_FAILED: row('upstream', 400, '28P01', 'INVALID_PARAMETER_VALUE', 'access_denied', 'The database refused the user or password of the data source.', 'Check the user and the password of the data source.'),
  UPSTREAM_AUTH_UNSAFE: row('upstream', 400, '28000', 'INVALID_PARAMETER_VALUE', 'access_denied', 'The database asked for the password in a form that is not safe on this route.', 'Use scram-sha-256 in pg_hba.conf, or verified TLS.'),
  UPSTREAM_PERMISSION: row('upstream', 400, '42501', 'PERMISSION_DENIED', 'access_denied', 'The user of the data source lacks a privilege on the database.', 'Grant what the message names to the user of the data source.'),
  UPSTREAM_PROTOCOL: row('upstream', 502, '08P01', 'INVALID_STATE', 'temporarily_unavailable', 'What answers at the address of the database does not speak the Postgres protocol.', 'Check the port.'),
  UPSTREAM_FAILED: row('upstream', 502, '58000', 'TEMPORARILY_UNAVAILABLE', 'temporarily_unavailable', 'The database reported an error.', 'See the SQLSTATE in the message.'),
  STORE_UNAVAILABLE: row('dependency', 503, '57P03', 'TEMPORARILY_UNAVAILABLE', 'temporarily_unavailable', 'The metadata store does not answer.', 'Try again shortly; look at /readyz.'),
  AUDIT_UNAVAILABLE: row('dependency', 503, '57P03', 'TEMPORARILY_UNAVAILABLE', 'temporarily_unavailable', 'The audit record could be written nowhere, so nothing was done.', 'Bring the metadata store back or make room for the audit spool.'),
  SHUTTING_DOWN: row('dependency', 503, '57P03', 'TEMPORARILY_UNAVAILABLE', 'temporarily_unavailable', 'This node is draining and takes no new work.', 'Connect again; another node or the restarted one answers.'),
  MASTER_KEY_MISMATCH: row('dependency', 500, 'F0000', 'INTERNAL_ERROR', 'server_error', 'The master key is not the one that this store was sealed with.', 'Start with the right master key.'),
  SECRET_UNREADABLE: row('dependency', 500, 'XX001', 'INTERNAL_ERROR', 'server_error', 'A sealed value does not open: the row, its destination or the key is another.', 'Enter the secret again.'),
  CONFIG_INVALID: row('caller', 500, 'F0000', 'INVALID_PARAMETER_VALUE', 'server_error', 'An option or the configuration file is wrong.', 'Correct every option that the message lists.'),
  DATA_FOLDER_UNUSABLE: row('dependency', 500, '58030', 'INTERNAL_ERROR', 'server_error', 'The data folder cannot be used.', 'Choose another folder, or correct its owner and mode as the message says.'),
  LOCAL_POSTGRES_FAILED: row('dependency', 500, '58000', 'INTERNAL_ERROR', 'server_error', 'A Postgres server that Postern runs itself did not start.', 'Read its log, which the message names.'),
  PORT_IN_USE: row('dependency', 500, '58000', 'INTERNAL_ERROR', 'server_error', 'Another process listens on the port.', 'Stop it, or choose another port.'),
  INTERNAL: row('internal', 500, 'XX000', 'INTERNAL_ERROR', 'server_error', 'Something failed inside Postern.', 'Report it with the request or session id.'),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

function row(
  kind: ErrorKind,
  http: number,
  sqlstate: string,
  apiCode: string,
  oauth: string,
  meaning: string,
  action: string,
): ErrorRow {
  return { kind, http, sqlstate, apiCode, oauth, retryable: kind === 'limit' || kind === 'dependency', meaning, action }
}
