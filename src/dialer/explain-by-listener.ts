import { PosternError, type ErrorCode } from '../base/errors.ts'
import { ENGINE_CAPABILITIES, type EngineCapabilities } from '../contract/engines.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import type { DialOptions } from './dial-options.ts'
import { identifyListener, type ListenerKind } from './identify-listener.ts'

/** Failures that a wrong port may lead to, once a socket was open. */
const AMBIGUOUS: ReadonlySet<ErrorCode> = new Set(['UPSTREAM_UNREACHABLE', 'UPSTREAM_PROTOCOL', 'UPSTREAM_TLS_REFUSED'])

/** What a family's own port answers: it explains nothing. */
const OWN: Readonly<Record<EngineCapabilities['family'], readonly ListenerKind[]>> = {
  postgres: [],
  mysql: ['mysql'],
  clickhouse: ['http'],
  oracle: [],
  snowflake: ['http'],
  spanner: ['http'],
}

/** Families whose port speaks TLS at once where the route has TLS. */
const TLS_AT_ONCE: ReadonlySet<EngineCapabilities['family']> = new Set(['clickhouse', 'oracle', 'snowflake', 'spanner'])

const WRONG_LISTENERS: Readonly<
  Record<Exclude<ListenerKind, 'tls' | 'unknown'>, readonly [text: string, hint: string]>
> = {
  http: ['what answers at the port of the database is a web server', 'Use the port of the database itself.'],
  ssh: [
    'what answers at the port of the database is an SSH server',
    'Use the port of the database; where the way leads over this SSH server, enter it as such.',
  ],
  mysql: ['what answers at the port of the database is a MySQL server', 'Choose the engine MySQL, MariaDB or TiDB.'],
  'clickhouse-native': [
    'the port is the one of the native protocol of ClickHouse',
    'Postern speaks HTTP: use the HTTPS port (8443 unless configured), or the HTTP port (8123) with TLS mode disable.',
  ],
}

/**
 * The failure of an attempt to reach a database, in the words of what really listens there, if that is what explains it. For the
 * connection test: it looks at the port with up to three further sockets, on which nothing of the data source is sent.
 */
export async function explainByListener(
  failure: PosternError,
  route: DataSourceRoute,
  options: DialOptions,
): Promise<PosternError> {
  // The host of a Cloud SQL route is no address.
  if (!AMBIGUOUS.has(failure.code) || route.loginMethod === 'gcp_iam') return failure
  const { family } = ENGINE_CAPABILITIES[route.engine]
  const kind = await identifyListener(route, options)
  if (kind === 'unknown' || OWN[family].includes(kind)) return failure
  if (kind !== 'tls') {
    const [text, hint] = WRONG_LISTENERS[kind]
    return new PosternError('UPSTREAM_PROTOCOL', text, { hint, cause: failure })
  }
  if (!TLS_AT_ONCE.has(family)) {
    const text = 'the server speaks TLS at once, where the protocol of the database begins in the clear'
    return new PosternError('UPSTREAM_TLS_ON_PLAIN_PORT', text, { cause: failure })
  }
  if (route.tlsMode !== 'disable') return failure
  return new PosternError('UPSTREAM_TLS_ON_PLAIN_PORT', 'the port speaks TLS, which the data source has switched off', {
    hint: 'Choose TLS mode verify-full.',
    cause: failure,
  })
}
