import type { Duplex } from 'node:stream'
import oracledb, { type DriverConnection, type DriverResultSet, type FetchedColumn } from 'oracledb'
import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import { mayCarryRecoverablePassword, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import { dialPlain } from '../../dialer/dial-plain.ts'
import { withSocketMethods } from '../../dialer/duplex-socket.ts'
import { secureSocket } from '../../dialer/secure-socket.ts'
import { toDuplex } from '../../transport/duplex.ts'
import type { OpenOptions } from '../engine.ts'
import type { OracleConnection, OracleRows } from './connection.ts'
import { takeOverDriver, withWay, type DriverWay } from './driver-sockets.ts'
import { translateOracleError } from './errors.ts'
import { connectDescriptor, type OracleTarget } from './options.ts'
import type { RedirectTarget } from './redirect.ts'
import { renderType, renderValue } from './render-values.ts'

const FETCH_ROWS = 200

/**
 * Logs in by the thin driver, over streams of the dialer. A redirect of the listener is dialled anew by the dialer, with the
 * address rules, SSH and TLS of the route; it never leads to this machine from elsewhere, nor out of TLS.
 *
 * @throws PosternError UPSTREAM_* | DATABASE_NOT_FOUND
 */
export async function openOracleConnection(
  route: DataSourceRoute,
  target: OracleTarget,
  options: Omit<OpenOptions, 'purpose'>,
): Promise<OracleConnection> {
  takeOverDriver()
  const deadlineAt = performance.now() + options.timeoutMs
  const streams = new Set<Duplex>()
  const way: DriverWay = {
    dial: async (redirect) => {
      const stream = await dialTns(route, redirect, options, deadlineAt)
      streams.add(stream)
      return stream
    },
    redirect: undefined,
    redirects: 0,
    refusal: undefined,
    failure: undefined,
  }
  const login = withWay(way, () =>
    oracledb.getConnection({
      user: route.username,
      password: options.secrets.password?.reveal() ?? '',
      connectString: connectDescriptor(target),
      program: 'postern',
      driverName: 'postern',
      // One attempt: what fails is told at once.
      retryCount: 0,
    }),
  )
  try {
    const connection = await withDeadline(
      login,
      options.timeoutMs,
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the login in time',
    )
    options.onStage?.('login')
    return new ThinConnection(connection, streams)
  } catch (thrown) {
    login.then((late) => late.close({ drop: true })).catch(() => undefined)
    for (const stream of streams) stream.destroy()
    throw way.failure ?? translateOracleError(way.refusal === undefined ? thrown : { code: way.refusal, cause: thrown })
  }
}

async function dialTns(
  route: DataSourceRoute,
  redirect: RedirectTarget | undefined,
  options: Omit<OpenOptions, 'purpose'>,
  deadlineAt: number,
): Promise<Duplex> {
  const { dialer, secrets, signal } = options
  const isFirst = redirect === undefined
  const dialOptions = {
    ...dialer,
    secrets,
    signal,
    timeoutMs: Math.max(1, deadlineAt - performance.now()),
    ...(isFirst && options.onStage && { onStage: options.onStage }),
  }
  const there = redirect === undefined ? route : { ...route, host: redirect.host, port: redirect.port }
  if (redirect?.isTls === true && route.tlsMode === 'disable')
    throw redirectRefused('to TLS, which the data source has not')
  if (redirect?.isTls === false && route.tlsMode !== 'disable') throw redirectRefused('out of TLS')
  const socket = await dialPlain(there, dialOptions)
  if (
    redirect !== undefined &&
    route.ssh.length === 0 &&
    isLoopback(socket.remoteAddress) &&
    !isLoopbackHost(route.host)
  ) {
    socket.destroy()
    throw redirectRefused('to this machine')
  }
  const secured = route.tlsMode === 'disable' ? socket : await secureSocket(socket, there, dialOptions)
  const stream = withSocketMethods(toDuplex(secured))
  // The driver takes all listeners away at times; an error that nobody hears would end the process.
  stream.on('error', () => undefined)
  return stream
}

function isLoopback(address: string): boolean {
  return /^(?:127\.|::1$|::ffff:127\.)/i.test(address)
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || isLoopback(host)
}

function redirectRefused(where: string): PosternError {
  return new PosternError('UPSTREAM_ADDRESS_REFUSED', `the listener of the database redirects ${where}`, {
    hint: 'Name the address of the database itself in the data source.',
  })
}

class ThinConnection implements OracleConnection {
  readonly serverVersion: string
  readonly #connection: DriverConnection
  readonly #streams: ReadonlySet<Duplex>

  constructor(connection: DriverConnection, streams: ReadonlySet<Duplex>) {
    this.serverVersion = connection.oracleServerVersionString
    this.#connection = connection
    this.#streams = streams
  }

  async execute(
    sql: string,
    binds: readonly string[],
    { autoCommit, timeoutMs }: { readonly autoCommit: boolean; readonly timeoutMs: number },
  ): ReturnType<OracleConnection['execute']> {
    this.#connection.callTimeout = timeoutMs
    const { resultSet, rowsAffected } = await this.#connection.execute(sql, binds, {
      autoCommit,
      resultSet: true,
      outFormat: oracledb.OUT_FORMAT_ARRAY,
      fetchArraySize: FETCH_ROWS,
      fetchTypeHandler: asText,
    })
    return resultSet === undefined ? { changedRows: rowsAffected ?? null } : { rows: rowsOf(resultSet) }
  }

  ping(): Promise<void> {
    return this.#connection.ping()
  }

  interrupt(): Promise<void> {
    return this.#connection.break()
  }

  rollback(): Promise<void> {
    return this.#connection.rollback()
  }

  async close(): Promise<void> {
    try {
      await withDeadline(this.#connection.close(), 5000, 'UPSTREAM_UNREACHABLE', 'the database did not say goodbye')
    } catch {
      // It is cut below.
    }
    for (const stream of this.#streams) stream.destroy()
  }
}

/** What must not pass through a JavaScript number, and what would come as a stream of its own. */
const AS_TEXT = new Set(['NUMBER', 'CLOB', 'NCLOB', 'LONG', 'JSON'])
const AS_BYTES = new Set(['BLOB', 'LONG RAW'])

function asText({ dbTypeName }: FetchedColumn): Readonly<Record<string, unknown>> | undefined {
  if (AS_TEXT.has(dbTypeName)) return { type: oracledb.DB_TYPE_VARCHAR }
  return AS_BYTES.has(dbTypeName) ? { type: oracledb.DB_TYPE_RAW } : undefined
}

function rowsOf(resultSet: DriverResultSet): OracleRows {
  return {
    columns: resultSet.metaData.map((column) => ({ name: column.name, type: renderType(column) })),
    next: async (count) => (await resultSet.getRows(count)).map((row) => row.map(renderValue)),
    close: () => resultSet.close(),
  }
}

/**
 * Whether a listener may learn what the driver sends at login. O5LOGON proves the password without telling it, but with a
 * verifier that whoever pretends to be the database can try guesses on; so a warning says when TLS does not prove who that is.
 */
export function isListenerProven(route: DataSourceRoute): boolean {
  return route.ssh.length > 0 || isLoopbackHost(route.host) || mayCarryRecoverablePassword(route)
}
