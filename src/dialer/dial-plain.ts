import { PosternError } from '../base/errors.ts'
import type { ConnectedSocket, ConnectTarget } from '../transport/byte-socket.ts'
import { isUnixRoute, type DataSourceRoute } from './data-source-route.ts'
import { connectFailure } from './dial-errors.ts'
import type { DialOptions } from './dial-options.ts'
import { checkRemoteTarget } from './remote-target.ts'
import { resolveHost } from './resolve-host.ts'
import { cancelled, socketInTime } from './socket-in-time.ts'

/** sun_path holds 108 bytes on Linux and 104 on macOS, the final zero included. */
const UNIX_PATH_MAX_BYTES = 107

/**
 * Opens a socket to the host of a route: by name → address rules → TCP, or by its SSH servers. Not a byte was sent on it, and TLS
 * is up to the caller: {@link secureSocket}.
 *
 * @throws PosternError UPSTREAM_NAME_UNKNOWN | UPSTREAM_ADDRESS_REFUSED | UPSTREAM_PORT_CLOSED | UPSTREAM_TIMED_OUT |
 *   UPSTREAM_UNREACHABLE | UPSTREAM_SSH_* | CANCELLED; none of their texts holds a resolved address
 */
export async function dialPlain(route: DataSourceRoute, options: DialOptions): Promise<ConnectedSocket> {
  if (route.ssh.length > 0) return dialThroughSsh(route, options)
  const deadlineAt = performance.now() + options.timeoutMs
  const targets = isUnixRoute(route) ? [unixTarget(route)] : await tcpTargets(route, options)
  if (options.signal?.aborted) throw cancelled()
  options.onStage?.('name')
  const socket = await connectFirst(targets, options, deadlineAt)
  options.onStage?.('tcp')
  return socket
}

function dialThroughSsh(route: DataSourceRoute, options: DialOptions): Promise<ConnectedSocket> {
  checkRemoteTarget(route.host, options.addressRules)
  const { secrets, timeoutMs, signal, onStage } = options
  const attempt = options.tunnels.connect({
    hops: route.ssh,
    secrets,
    target: { host: route.host, port: route.port },
    timeoutMs,
    signal,
    ...(onStage && { onStage }),
  })
  return socketInTime(attempt, options, ['UPSTREAM_SSH_UNREACHABLE', 'the way through SSH was not open in time'])
}

/** As libpq names the socket of a server in its folder; no other engine has a route to a Unix socket. */
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
  options: DialOptions,
  deadlineAt: number,
): Promise<ConnectedSocket> {
  let failure = connectFailure({ code: 'ETIMEDOUT' })
  for (const [index, target] of targets.entries()) {
    const leftMs = deadlineAt - performance.now()
    if (leftMs <= 0) break
    const shareMs = Math.ceil(leftMs / (targets.length - index))
    try {
      const attempt = options.transport.connect(target, shareMs)
      // A little more than the transport's own limit, which tells what happened.
      return await socketInTime(attempt, { timeoutMs: shareMs + 50, signal: options.signal }, [
        'UPSTREAM_TIMED_OUT',
        'the database did not answer in time',
      ])
    } catch (thrown) {
      failure = connectFailure(thrown)
      if (failure.code === 'CANCELLED') throw failure
    }
  }
  throw failure
}
