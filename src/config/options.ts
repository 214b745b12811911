/**
 * Every option of a Postern process, once: flags, environment variables, keys of the configuration file, help, the reference
 * page and `postern config print` come from this table. To add one: a row here, then `npm run generate`.
 */
import {
  addressRange,
  boolean,
  choice,
  domain,
  host,
  integer,
  list,
  matching,
  origin,
  path,
  port,
  secret,
  type OptionType,
} from './option-types.ts'

export interface Option<T> {
  readonly group: OptionGroup
  readonly type: OptionType<NonNullable<T>>
  /** Undefined: the option has no value unless one is given. Written as a user would write it. */
  readonly defaultText: string | undefined
  /** What it does, in one or two sentences for the reference page; the first is also the help. */
  readonly about: string
  /** Only shapes the type of the value. */
  readonly value?: T
}

export type OptionGroup =
  | 'Node'
  | 'HTTP'
  | 'Gateway'
  | 'Metadata store'
  | 'Logins'
  | 'SQL and catalogue'
  | 'Secret managers'
  | 'First workspace'

/** Of a cloud's service: what goes there is a token or a key. */
const CLOUD_ENDPOINT = /^(https:\/\/[^\s?#@]{1,500}|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?(\/[^\s?#]*)?)$/

export const OPTIONS = {
  dataDir: option(
    'Node',
    path,
    './postern-data',
    'Folder that holds everything this node keeps; deleting it is a full reset.',
  ),
  readyFile: optional('Node', path, 'File that is written, as JSON, once everything accepts connections.'),
  socketDir: optional(
    'Node',
    path,
    "Folder below which Postern's own servers put their Unix sockets; a short path. Default: /run as root, /tmp otherwise.",
  ),
  logLevel: option(
    'Node',
    choice('fatal', 'error', 'warn', 'info', 'debug', 'trace'),
    'info',
    'Least severe log lines to write.',
  ),
  drainTimeoutSeconds: option(
    'Node',
    integer(0, 86_400),
    '30',
    'How long open sessions may go on after SIGTERM, in seconds.',
  ),

  httpHost: option(
    'HTTP',
    host,
    '127.0.0.1',
    'Address that the API and the web page listen on. Any but a loopback address needs TLS files or httpBehindTlsProxy.',
  ),
  httpPort: option('HTTP', port, '8080', 'Port that the API and the web page listen on.'),
  metricsPort: optional('HTTP', port, 'Port of a listener for Prometheus: GET /metrics. Absent: there is none.'),
  metricsHost: option(
    'HTTP',
    host,
    '127.0.0.1',
    'Address of that listener. It speaks plain HTTP and asks for no token: whoever reaches it reads the figures.',
  ),
  httpTlsCert: optional('HTTP', path, 'PEM file with the certificate chain for HTTPS, the server certificate first.'),
  httpTlsKey: optional('HTTP', path, 'PEM file with the private key that belongs to httpTlsCert.'),
  httpBehindTlsProxy: option(
    'HTTP',
    boolean,
    'false',
    'States that a reverse proxy in front ends TLS, so that plain HTTP may be served on an address that is not loopback. Needs publicUrl.',
  ),
  trustedProxies: option(
    'HTTP',
    list(addressRange),
    '',
    'Reverse proxies whose forwarded headers are believed. Nobody else can tell Postern another client address.',
  ),
  publicUrl: optional(
    'HTTP',
    origin,
    'URL by which clients reach the API; tokens carry it as their issuer. Without it, the address and port listened on.',
  ),
  httpPasswordGrant: option(
    'HTTP',
    boolean,
    'true',
    'Lets people sign in on the command line with e-mail and password. Without it only service principals get access tokens.',
  ),

  gatewayHost: option(
    'Gateway',
    host,
    '127.0.0.1',
    'Address that the gateway listens on. It speaks TLS on every address.',
  ),
  gatewayPort: option('Gateway', port, '5432', 'Port that the gateway listens on.'),
  gatewayDomain: option(
    'Gateway',
    domain,
    'postern.localhost',
    'DNS name of the gateway; an instance is reached as NAME.<gatewayDomain>.',
  ),
  gatewayTlsCert: optional(
    'Gateway',
    path,
    'PEM file with the certificate chain of the gateway. Without it, Postern makes its own certificate authority and certificate.',
  ),
  gatewayTlsKey: optional('Gateway', path, 'PEM file with the private key that belongs to gatewayTlsCert.'),
  gatewayTlsNames: option('Gateway', list(host), '', "Further names and addresses for Postern's own certificate."),
  gatewayWorkers: option(
    'Gateway',
    integer(1, 64),
    '1',
    'Gateway processes that share the port; about one per core that may be spent on relaying.',
  ),
  gatewayTransport: option(
    'Gateway',
    choice('bun', 'node'),
    'bun',
    'Sockets of the gateway: bun, the fast ones of the runtime, or node, the portable ones to fall back on.',
  ),
  gatewayMaxPreAuth: option(
    'Gateway',
    integer(1, 1_000_000),
    '4096',
    'Sockets per worker that may be open without having logged in yet.',
  ),
  gatewayMaxSessions: option('Gateway', integer(1, 1_000_000), '10000', 'Sessions per worker that may be open.'),
  gatewayMaxSessionsPerPrincipal: option(
    'Gateway',
    integer(1, 1_000_000),
    '1000',
    'Sessions per worker that one principal may have, under all its Postgres roles together.',
  ),
  deniedAddresses: option(
    'Gateway',
    list(addressRange),
    '',
    'Addresses that are never dialled, besides link-local and cloud-metadata addresses, which never are.',
  ),
  egressAddresses: option(
    'Gateway',
    list(addressRange),
    '',
    'Addresses that databases see Postern come from. They are shown to whoever registers a database, for its firewall.',
  ),
  tlsFileDirs: option(
    'Gateway',
    list(path),
    '',
    'Folders that data sources may name TLS files in (authority, client certificate and key). Without any, none may.',
  ),
  ambientGoogleProjects: option(
    'Gateway',
    list(matching('id of a Google Cloud project', /^[a-z\d][a-z\d.:-]{0,61}[a-z\d]$/)),
    '',
    'Google Cloud projects whose Spanner may be reached with the identity of this machine. Without any, none may.',
  ),

  storeUrl: optional(
    'Metadata store',
    secret('URL of the form postgres://user:password@host/database', storeUrlProblem),
    'Postgres that holds the metadata. Without it, Postern runs one of its own in dataDir.',
  ),
  masterKey: optional(
    'Metadata store',
    secret('base64 of 32 bytes', masterKeyProblem),
    'Key that seals every secret in the store. Needed with storeUrl; without either, one is made in dataDir on the first start.',
  ),
  otherMasterKey: optional(
    'Metadata store',
    secret('base64 of 32 bytes', masterKeyProblem),
    'A second key that opens sealed values and seals none, while the master key of several nodes is exchanged.',
  ),

  loginTimeoutSeconds: option(
    'Logins',
    integer(1, 600),
    '15',
    'How long a client may take from connecting to being logged in, in seconds.',
  ),
  loginStoreDeadlineMs: option(
    'Logins',
    integer(10, 10_000),
    '250',
    'How long a login waits for the metadata store, in milliseconds.',
  ),
  loginCacheSeconds: option(
    'Logins',
    integer(0, 300),
    '300',
    'How old an allowed answer may be that is used while the metadata store is away, in seconds; 0 refuses logins then.',
  ),
  loginDenialFloorMs: option(
    'Logins',
    integer(0, 5000),
    '300',
    'Shortest time that a refusal takes, in milliseconds, so that its reason cannot be told from its speed.',
  ),
  auditSpoolMaxBytes: option(
    'Logins',
    integer(65_536, 2 ** 40),
    String(64 * 1024 * 1024),
    'Disk that audit records may take per worker while the metadata store is away, in bytes. Logins are refused when it is full.',
  ),

  sqlDefaultRows: option(
    'SQL and catalogue',
    integer(1, 100_000_000),
    '1000',
    'Rows that a statement answers where its caller asks for no other number.',
  ),
  sqlMaxRows: option('SQL and catalogue', integer(1, 100_000_000), '100000', 'Rows that a caller may ask for at most.'),
  sqlDefaultBytes: option(
    'SQL and catalogue',
    integer(1024, 2 ** 40),
    String(10 * 1024 * 1024),
    'Bytes that a statement answers where its caller asks for no other number.',
  ),
  sqlMaxBytes: option(
    'SQL and catalogue',
    integer(1024, 2 ** 40),
    String(1024 * 1024 * 1024),
    'Bytes that a caller may ask for at most.',
  ),
  sqlDefaultTimeoutSeconds: option(
    'SQL and catalogue',
    integer(1, 86_400),
    '60',
    'How long a statement may run where its caller asks for no other time, in seconds.',
  ),
  sqlMaxTimeoutSeconds: option(
    'SQL and catalogue',
    integer(1, 86_400),
    '3600',
    'How long a caller may let a statement run at most, in seconds.',
  ),
  sqlMaxConcurrent: option(
    'SQL and catalogue',
    integer(1, 10_000),
    '100',
    'Statements that run at a time on this node; ten of one principal.',
  ),
  sqlHistoryDays: option(
    'SQL and catalogue',
    integer(1, 3650),
    '90',
    'How long the history keeps what people ran, in days. It is sealed, and shown to nobody else.',
  ),
  catalogueSyncs: option(
    'SQL and catalogue',
    integer(1, 64),
    '2',
    'Instances whose catalogues this node reads at a time.',
  ),

  secretEnvironmentNames: option(
    'Secret managers',
    list(matching('the name of an environment variable', /^[A-Za-z_][A-Za-z0-9_]{0,127}$/)),
    '',
    'Environment variables of Postern that secret references may use, for example for a Vault token. Without any, none.',
  ),
  secretFileDirs: option(
    'Secret managers',
    list(path),
    '',
    'Folders whose files secret references may use, for example for a Vault token. Without any, none.',
  ),
  secretStoreOrigins: option(
    'Secret managers',
    list(origin),
    '',
    'Secret managers that may be asked, such as https://vault.example.com:8200. Without any, all: link-local and metadata addresses never.',
  ),
  ambientSecretNames: option(
    'Secret managers',
    list(matching('the name of a secret, with * for any text', /^[^\s,]{1,512}$/)),
    '',
    'Secrets that the cloud identity of this node may read for data sources; * stands for any text. Without any, none.',
  ),
  ambientRoleArns: option(
    'Secret managers',
    list(matching('the ARN of an IAM role, with * for any text', /^[^\s,]{1,600}$/)),
    '',
    'IAM roles that the cloud identity of this node may assume for data sources; * stands for any text. Without any, none.',
  ),
  ambientIamHosts: option(
    'Secret managers',
    list(matching('a host name, with * for any text', /^[A-Za-z0-9.*:-]{1,253}$/)),
    '',
    'Databases, such as endpoints of RDS or connection names of Cloud SQL, that the cloud identity of this node may log in to without a password; * stands for any text. Without any, none.',
  ),
  googleTokenEndpoint: optional(
    'Secret managers',
    matching('an https URL, or an http URL of this machine', CLOUD_ENDPOINT),
    'Token endpoint that keys of Google service accounts may name beside Google’s own, where this network has one of its own (Private Service Connect).',
  ),
  cloudSqlAdminEndpoint: optional(
    'Secret managers',
    matching('an https URL, or an http URL of this machine', CLOUD_ENDPOINT),
    'Where the Cloud SQL Admin API is asked, where this network has an endpoint of its own for it. Without it, Google itself.',
  ),
  secretTtlSeconds: option(
    'Secret managers',
    integer(0, 3_600),
    '60',
    'How long a secret of an external manager is used before it is asked for again, in seconds.',
  ),
  secretStaleSeconds: option(
    'Secret managers',
    integer(0, 86_400),
    '600',
    'How long after it was fetched a secret may still be used while its manager does not answer, in seconds.',
  ),

  workspaceName: option(
    'First workspace',
    matching(
      '1 to 63 letters, digits, spaces, dots, hyphens or underscores',
      /^[\p{L}\p{N}](?:[\p{L}\p{N} ._-]{0,61}[\p{L}\p{N}])?$/u,
    ),
    'main',
    'Name of the workspace that the first start creates.',
  ),
  adminEmail: option(
    'First workspace',
    matching('an e-mail address', /^[^\s@]{1,64}@[^\s@]{1,190}$/),
    'admin@postern.localhost',
    'E-mail address of the administrator that the first start creates.',
  ),
} as const satisfies Record<string, Option<unknown>>

export type OptionKey = keyof typeof OPTIONS

/** What a Postern process was told, parsed and checked as a whole. Frozen. */
export type Config = { readonly [Key in OptionKey]: (typeof OPTIONS)[Key] extends Option<infer T> ? T : never }

export const optionKeys = Object.keys(OPTIONS) as readonly OptionKey[]

/** `httpPort` is `--http-port` on the command line. A secret is only taken from a file there: `--store-url-file`. */
export function flagName(key: OptionKey): string {
  return `--${words(key).join('-')}`
}

/** `httpPort` is `POSTERN_HTTP_PORT` in the environment. A secret may also be given as `POSTERN_STORE_URL_FILE`. */
export function environmentName(key: OptionKey): string {
  return `POSTERN_${words(key).join('_').toUpperCase()}`
}

function words(key: OptionKey): string[] {
  return key.split(/(?=[A-Z])/).map((word) => word.toLowerCase())
}

function option<T>(group: OptionGroup, type: OptionType<T & {}>, defaultText: string, about: string): Option<T> {
  return { group, type, defaultText, about }
}

function optional<T>(group: OptionGroup, type: OptionType<T & {}>, about: string): Option<T | undefined> {
  return { group, type, defaultText: undefined, about }
}

function storeUrlProblem(text: string): string | undefined {
  const isPostgres = URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)
  return isPostgres ? undefined : 'must be a URL of the form postgres://user:password@host/database'
}

function masterKeyProblem(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === 32 && bytes.toString('base64') === text
    ? undefined
    : 'must be the base64 form of exactly 32 bytes (openssl rand -base64 32)'
}
