import type { Duplex } from 'node:stream'
import mysql from 'mysql2'
import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { mayCarryRecoverablePassword, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import { dialForStartTls, type StartTls } from '../../dialer/dial-for-start-tls.ts'
import type { OpenOptions } from '../engine.ts'
import { authPlugins, type AuthPlugins } from './auth-plugins.ts'
import { translateLoginError } from './errors.ts'
import { guardPackets, type PacketGuard } from './guard-packets.ts'

/** Methods of the driver's session that its published types do not have. */
interface DriverInternals {
  stream: Duplex
  packetParser: { execute(data: Buffer): void }
  startTLS(proceed: (error?: Error) => void): void
  _handleNetworkError(error: Error): void
  readonly config: { password?: string | undefined }
}

/** Session of the driver. Whoever is told of a failure by `onLost` finds nothing more in it. */
export interface MysqlClient {
  readonly connection: mysql.Connection
  /** Ends the session at once. */
  destroy(error?: Error): void
  /** Replaces who is told that the session is lost. */
  onLost(listener: (error: Error) => void): void
}

/**
 * Opens a session of the `mysql2` driver over a stream of the dialer, which also does the TLS: the driver's own settings for it do
 * not count. It takes no file from us, whatever the server asks for, and one statement at a time unless `multipleStatements`.
 *
 * @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND | CANCELLED
 */
export async function openMysqlClient(
  route: DataSourceRoute,
  options: Omit<OpenOptions, 'purpose'>,
  multipleStatements: boolean,
): Promise<MysqlClient> {
  const deadlineAt = performance.now() + options.timeoutMs
  const { stream, tls } = await dialForStartTls(route, {
    ...options.dialer,
    secrets: options.secrets,
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    onStage: options.onStage,
  })
  const password = options.secrets.password ?? new Secret('')
  const plugins = authPlugins(password, mayCarryRecoverablePassword(route))
  const login = { tlsFailure: undefined as Error | undefined, plugins }
  const abort = (): void =>
    void stream.destroy(new PosternError('CANCELLED', 'the attempt to reach the database was cancelled'))
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    const guard = guardPackets()
    guard.watch(stream)
    const connection = connectionOver(stream, route, password, { tls, plugins, multipleStatements })
    const client = lostWith(connection)
    if (tls !== undefined) startTlsBy(tls, connection, guard, (error) => (login.tlsFailure = error))
    await withDeadline(
      connected(connection, client),
      Math.max(1, deadlineAt - performance.now()),
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the login in time',
    )
    guard.loggedIn()
    internals(connection).config.password = undefined
    options.onStage?.('login')
    return client
  } catch (thrown) {
    stream.destroy()
    throw loginFailure(thrown, login)
  } finally {
    options.signal?.removeEventListener('abort', abort)
  }
}

function connectionOver(
  stream: Duplex,
  route: DataSourceRoute,
  password: Secret,
  options: { tls: StartTls | undefined; plugins: AuthPlugins; multipleStatements: boolean },
): mysql.Connection {
  return mysql.createConnection({
    stream,
    user: route.username,
    password: password.reveal(),
    ...(route.database !== '' && { database: route.database }),
    charset: route.extraParameters['charset'] ?? 'utf8mb4',
    // The driver asks for TLS inside its protocol, and refuses a server that has none; the dialer does it.
    ...(options.tls && { ssl: {} }),
    authPlugins: options.plugins.plugins as never,
    multipleStatements: options.multipleStatements,
    // Without LOCAL_FILES no server may ask for a file; IGNORE_SPACE would change what is a function.
    flags: ['-LOCAL_FILES', '-IGNORE_SPACE', '-FOUND_ROWS', '-SESSION_TRACK'],
    connectAttributes: { program_name: 'postern' },
    connectTimeout: 0,
    supportBigNumbers: true,
    bigNumberStrings: true,
  })
}

/** The driver sends its request for TLS and then calls this; what it reads and writes afterwards goes over the secured stream. */
function startTlsBy(
  tls: StartTls,
  connection: mysql.Connection,
  guard: PacketGuard,
  onFailure: (error: Error) => void,
): void {
  const driver = internals(connection)
  driver.startTLS = (proceed) => {
    driver.stream.removeAllListeners('data')
    tls.secure().then(
      (secured) => {
        guard.watch(secured)
        // oxlint-disable-next-line no-underscore-dangle -- what the driver's own TLS would call
        secured.on('error', (error) => driver._handleNetworkError(error))
        secured.on('data', (data: Buffer) => driver.packetParser.execute(data))
        driver.stream = secured
        proceed()
      },
      (error: Error) => {
        onFailure(error)
        proceed(new Error('no TLS', { cause: error }))
      },
    )
  }
}

/** The driver tells a query of a broken session nothing: it tells the session. */
function lostWith(connection: mysql.Connection): MysqlClient {
  let lost: Error | undefined
  let listener: (error: Error) => void = () => undefined
  const lose = (error: Error): void => {
    lost ??= error
    listener(lost)
  }
  connection.on('error', lose)
  connection.on('end', () => lose(new Error('the session ended')))
  return {
    connection,
    destroy(error) {
      if (error !== undefined) lose(error)
      internals(connection).stream.destroy(error)
    },
    onLost(next) {
      listener = next
      if (lost !== undefined) next(lost)
    },
  }
}

function connected(connection: mysql.Connection, client: MysqlClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.onLost(reject)
    connection.connect((error) => (error === null ? resolve() : reject(error)))
  })
}

function loginFailure(
  thrown: unknown,
  { tlsFailure, plugins }: { tlsFailure: Error | undefined; plugins: AuthPlugins },
): PosternError {
  return translateLoginError(plugins.refusal() ?? tlsFailure ?? thrown)
}

function internals(connection: mysql.Connection): DriverInternals {
  return connection as unknown as DriverInternals
}
