import type { Duplex } from 'node:stream'
import pg from 'pg'
import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { mayCarryRecoverablePassword, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import { dialDuplex } from '../../dialer/dial-duplex.ts'
import type { OpenOptions } from '../engine.ts'
import { sqlstateOf, translatePostgresError } from './errors.ts'
import { guardStream } from './guard-stream.ts'

/**
 * A session must not depend on what the database's users set or made: a function of theirs must not run in our statements.
 * The owner of a database may set a role for whoever enters it; we work as the user that logged in, and as nobody else.
 * Everything is bounded, so that a stuck server cannot hold us.
 */
const SAFE_SESSION = `
  set session authorization default;
  set role none;
  set default_transaction_read_only = off;
  set search_path = pg_catalog, pg_temp;
  set standard_conforming_strings = on;
  set statement_timeout = '15s';
  set lock_timeout = '5s';
  set idle_in_transaction_session_timeout = '30s'`

/** A little above the server's own limit, for a server that does not keep to it. */
const QUERY_TIMEOUT_MS = 20_000

/**
 * Opens a session of the `pg` driver over a socket of the dialer; TLS is done before the driver sees it.
 * @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND; UPSTREAM_AUTH_UNSAFE when the server asks for the password in a form
 *   that its receiver could use again and TLS has not proved who that is
 */
export async function openPostgresClient(
  route: DataSourceRoute,
  options: Omit<OpenOptions, 'purpose'>,
): Promise<pg.Client> {
  const deadlineAt = performance.now() + options.timeoutMs
  const stream = await dialDuplex(route, {
    ...options.dialer,
    secrets: options.secrets,
    timeoutMs: options.timeoutMs,
    ...(options.onStage && { onStage: options.onStage }),
  })
  try {
    const client = clientOver(stream, route, options.secrets.password ?? new Secret(''))
    await withDeadline(
      client.connect().then(() => client.query(SAFE_SESSION)),
      Math.max(1, deadlineAt - performance.now()),
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the login in time',
    )
    options.onStage?.('login')
    return client
  } catch (thrown) {
    const error = loginFailure(thrown, stream)
    stream.destroy()
    throw error
  }
}

function clientOver(stream: Duplex, route: DataSourceRoute, password: Secret): pg.Client {
  const client = new pg.Client({
    user: route.username,
    database: route.database,
    password: () => password.reveal(),
    stream: () => withSocketMethods(guardStream(stream, mayCarryRecoverablePassword(route))),
    query_timeout: QUERY_TIMEOUT_MS,
    // The driver reads the environment of the process for what is not said here.
    host: 'upstream.invalid',
    port: route.port,
    ssl: false,
    options: '',
    application_name: 'postern',
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
