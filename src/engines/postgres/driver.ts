import type { Duplex } from 'node:stream'
import pg from 'pg'
import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { mayCarryRecoverablePassword, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import { dialDuplex } from '../../dialer/dial-duplex.ts'
import type { OpenOptions, SessionPurpose } from '../engine.ts'
import { sqlstateOf, translatePostgresError, withPostgresErrors } from './errors.ts'
import { guardStream } from './guard-stream.ts'
import { safeSession } from './safe-session.ts'

/** A little above the server's own limit, for a server that does not keep to it. */
const QUERY_TIMEOUT_MS = 20_000
/** A row that a person asked for; an administrator's session reads none as long as that. */
const MAX_ROW_BYTES = 64 * 1024 * 1024

/** A session of the driver, and the stream that it reads: whoever pauses the stream holds back the server. */
export interface UpstreamClient {
  readonly client: pg.Client
  readonly stream: Duplex
}

/**
 * Opens a session of the `pg` driver over a socket of the dialer; TLS is done before the driver sees it.
 * @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND; UPSTREAM_AUTH_UNSAFE when the server asks for the password in a form
 *   that its receiver could use again and TLS has not proved who that is
 */
export async function openPostgresClient(
  route: DataSourceRoute,
  options: Omit<OpenOptions, 'purpose'>,
): Promise<pg.Client> {
  const { client } = await openUpstreamClient(
    route,
    { ...options, purpose: 'admin' },
    { queryTimeoutMs: QUERY_TIMEOUT_MS },
  )
  return client
}

/** As {@link openPostgresClient}, for statements of any length and rows of up to 64 MiB: bounding them is the caller's part. */
export function openStatementClient(route: DataSourceRoute, options: OpenOptions): Promise<UpstreamClient> {
  return openUpstreamClient(route, options, { maxRowBytes: MAX_ROW_BYTES })
}

/**
 * The driver on a stream that is logged in already: it is told so by the replayed greeting, and sends no password.
 * @throws PosternError UPSTREAM_*
 */
export async function adoptStatementClient(
  route: DataSourceRoute,
  stream: Duplex,
  timeoutMs: number,
): Promise<UpstreamClient> {
  try {
    const client = clientOver(stream, { ...route, tlsMode: 'disable' }, new Secret(''), { maxRowBytes: MAX_ROW_BYTES })
    const late = 'the database did not answer the driver in time'
    await withDeadline(client.connect(), timeoutMs, 'UPSTREAM_UNREACHABLE', late)
    return { client, stream }
  } catch (thrown) {
    const error = loginFailure(thrown, stream)
    stream.destroy()
    throw error
  }
}

interface ClientLimits {
  readonly queryTimeoutMs?: number
  readonly maxRowBytes?: number
}

async function openUpstreamClient(
  route: DataSourceRoute,
  options: OpenOptions,
  limits: ClientLimits,
): Promise<UpstreamClient> {
  const deadlineAt = performance.now() + options.timeoutMs
  requireNotAborted(options.signal)
  const stream = await dialDuplex(route, {
    ...options.dialer,
    secrets: options.secrets,
    timeoutMs: options.timeoutMs,
    ...(options.onStage && { onStage: options.onStage }),
    ...(options.signal && { signal: options.signal }),
  })
  const abort = (): void => void stream.destroy(cancelled())
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    requireNotAborted(options.signal)
    const client = clientOver(stream, route, options.secrets.password ?? new Secret(''), limits)
    await withDeadline(
      client.connect().then(() => prepareSession(client, route, options.purpose)),
      Math.max(1, deadlineAt - performance.now()),
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the login in time',
    )
    options.onStage?.('login')
    return { client, stream }
  } catch (thrown) {
    const error = loginFailure(thrown, stream)
    stream.destroy()
    throw error
  } finally {
    options.signal?.removeEventListener('abort', abort)
  }
}

/** What the login alone does not do: the kind of server that was asked for, and a session that nobody else shaped. */
async function prepareSession(client: pg.Client, route: DataSourceRoute, purpose: SessionPurpose): Promise<void> {
  await requireSessionAttributes(client, route.extraParameters['target_session_attrs'] ?? 'any')
  await client.query(safeSession(route, purpose))
}

/**
 * As libpq with target_session_attrs, with one host.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TARGET-SESSION-ATTRS
 */
async function requireSessionAttributes(client: pg.Client, wanted: string): Promise<void> {
  if (wanted === 'any') return
  const { rows } = await withPostgresErrors(
    client.query<{ standby: boolean; read_only: boolean }>(
      `select pg_catalog.pg_is_in_recovery() as standby,
         pg_catalog.current_setting('default_transaction_read_only')::pg_catalog.bool as read_only`,
    ),
  )
  const { standby = false, read_only: readOnly = false } = rows[0] ?? {}
  const is: Readonly<Record<string, boolean>> = {
    primary: !standby,
    standby,
    'read-write': !standby && !readOnly,
    'read-only': standby || readOnly,
  }
  if (is[wanted] === true) return
  const found = standby ? 'a standby' : readOnly ? 'a primary whose sessions are read-only' : 'a primary'
  throw new PosternError('UPSTREAM_FAILED', `target_session_attrs asks for ${wanted}, and the database is ${found}`, {
    hint: 'Use the address of another server of the cluster, or leave target_session_attrs out.',
  })
}

function clientOver(stream: Duplex, route: DataSourceRoute, password: Secret, limits: ClientLimits): pg.Client {
  const client = new pg.Client({
    user: route.username,
    database: route.database,
    password: () => password.reveal(),
    stream: () => withSocketMethods(guardStream(stream, mayCarryRecoverablePassword(route), limits.maxRowBytes)),
    ...(limits.queryTimeoutMs !== undefined && { query_timeout: limits.queryTimeoutMs }),
    // The driver reads the environment of the process for what is not said here.
    host: 'upstream.invalid',
    port: route.port,
    ssl: false,
    options: '',
    application_name: route.extraParameters['application_name'] ?? 'postern',
    client_encoding: 'UTF8',
  })
  // A session that breaks between two statements shows at the next one; unheard, the event would end the process.
  client.on('error', () => undefined)
  return client
}

/** What the driver itself throws while the stream is whole is a SCRAM message that it did not accept. */
function loginFailure(thrown: unknown, stream: Duplex): PosternError {
  if (thrown instanceof PosternError || sqlstateOf(thrown) !== undefined || stream.destroyed) {
    return translatePostgresError(thrown)
  }
  return new PosternError('UPSTREAM_AUTH_UNSAFE', 'the database did not prove that it knows the password', {
    cause: thrown,
  })
}

function requireNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled()
}

function cancelled(): PosternError {
  return new PosternError('CANCELLED', 'the attempt to reach the database was cancelled')
}

/** The driver calls these on what it takes for a socket; ours is connected and secured already. */
function withSocketMethods(stream: Duplex): Duplex {
  return Object.assign(stream, {
    connect: () => process.nextTick(() => stream.emit('connect')),
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
  })
}
