import { withDeadline } from '../base/deadline.ts'
import { PosternError } from '../base/errors.ts'
import type { TlsMode } from '../contract/tls-mode.ts'
import type {
  ByteSocket,
  ConnectedSocket,
  ConnectTarget,
  TlsClientOptions,
  Transport,
} from '../transport/byte-socket.ts'
import type { AddressRules } from './address-rules.ts'
import { isUnixRoute, type DataSourceRoute } from './data-source-route.ts'
import type { DataSourceSecrets } from './data-source-secrets.ts'
import { connectFailure, tlsFailure } from './dial-errors.ts'
import { requestTls } from './request-tls.ts'
import { resolveHost } from './resolve-host.ts'
import type { SshStage, SshTunnels } from './ssh-tunnels.ts'

/** The stages of {@link dial}, in order. */
export type DialStage = 'name' | 'tcp' | SshStage | 'tls'

/** What dialing needs from whoever composes the process. */
export interface DialerDependencies {
  readonly transport: Transport
  readonly addressRules: AddressRules
  readonly tunnels: SshTunnels
  /** Folders that `tlsFiles` of a route may lie in; empty: none. Absolute paths. */
  readonly tlsFileFolders: readonly string[]
}

export interface DialOptions extends DialerDependencies {
  /** The way may need some of them: the key of a client certificate, SSH. */
  readonly secrets: DataSourceSecrets
  /** For everything together: name, socket and TLS. */
  readonly timeoutMs: number
  /** Told as each stage is done; the connection test measures with it. */
  readonly onStage?: (
    stage: DialStage,
    detail?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>,
  ) => void
}

/** sun_path holds 108 bytes on Linux and 104 on macOS, the final zero included. */
const UNIX_PATH_MAX_BYTES = 107

/**
 * Opens the way to a database: name → address rules → socket → SSLRequest → TLS, as the route asks. The socket that comes
 * back is at the point where the startup message goes next, and no secret was sent on it. There is no other way to a database
 * (design section 5, invariant 1).
 *
 * @throws PosternError UPSTREAM_NAME_UNKNOWN | UPSTREAM_ADDRESS_REFUSED | UPSTREAM_UNREACHABLE | UPSTREAM_TLS_REFUSED |
 *   UPSTREAM_TLS_UNTRUSTED | UPSTREAM_PROTOCOL; none of their texts holds a resolved address
 */
export async function dial(route: DataSourceRoute, options: DialOptions): Promise<ByteSocket> {
  const deadlineAt = performance.now() + options.timeoutMs
  const targets = isUnixRoute(route) ? [unixTarget(route)] : await tcpTargets(route, options)
  options.onStage?.('name')
  const socket = await connectFirst(targets, options.transport, deadlineAt)
  options.onStage?.('tcp')
  if (isUnixRoute(route) || route.tlsMode === 'disable') return socket
  try {
    const secured = await withDeadline(
      secure(socket, route),
      Math.max(1, deadlineAt - performance.now()),
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the TLS handshake in time',
    )
    options.onStage?.('tls')
    return secured
  } catch (thrown) {
    socket.destroy()
    throw tlsFailure(thrown)
  }
}

async function secure(socket: ConnectedSocket, route: DataSourceRoute): Promise<ByteSocket> {
  await requestTls(socket)
  return socket.upgradeToTls(tlsOptions(route))
}

const VERIFY: Record<Exclude<TlsMode, 'disable'>, TlsClientOptions['verify']> = {
  require: 'none',
  'verify-ca': 'chain',
  'verify-full': 'full',
}

function tlsOptions(route: DataSourceRoute): TlsClientOptions {
  if (route.tlsMode === 'disable') throw new PosternError('INTERNAL', 'TLS asked for on a route without TLS')
  return { serverName: route.host, caPem: route.tlsCa ?? undefined, verify: VERIFY[route.tlsMode] }
}

function unixTarget(route: DataSourceRoute): ConnectTarget {
  const path = `${route.host}/.s.PGSQL.${route.port}`
  if (Buffer.byteLength(path) > UNIX_PATH_MAX_BYTES) {
    throw new PosternError(
      'UPSTREAM_UNREACHABLE',
      `the path of the Unix socket is longer than ${UNIX_PATH_MAX_BYTES} bytes`,
    )
  }
  return { kind: 'unix', path }
}

async function tcpTargets(route: DataSourceRoute, options: DialOptions): Promise<readonly ConnectTarget[]> {
  const addresses = await resolveHost(route.host, options.addressRules, options.timeoutMs)
  return addresses.map((address) => ({ kind: 'tcp', address, port: route.port }))
}

/** Tries one address after the other; each gets its share of the time that is left, so a dead one cannot use up all of it. */
async function connectFirst(
  targets: readonly ConnectTarget[],
  transport: Transport,
  deadlineAt: number,
): Promise<ConnectedSocket> {
  let failure = connectFailure({ code: 'ETIMEDOUT' })
  for (const [index, target] of targets.entries()) {
    const leftMs = deadlineAt - performance.now()
    if (leftMs <= 0) break
    try {
      return await transport.connect(target, Math.ceil(leftMs / (targets.length - index)))
    } catch (thrown) {
      failure = connectFailure(thrown)
    }
  }
  throw failure
}
