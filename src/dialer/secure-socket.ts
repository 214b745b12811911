import type { ConnectedSocket, SecuredSocket, TlsClientOptions, TlsPeer } from '../transport/byte-socket.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import { tlsFailure } from './dial-errors.ts'
import type { DialOptions } from './dial-options.ts'
import { describeTlsPeer } from './describe-tls-peer.ts'
import { socketInTime } from './socket-in-time.ts'
import { readTlsSettings } from './tls-settings.ts'

/**
 * Begins TLS on a dialled socket as the route asks. Whatever fails, the socket is closed.
 *
 * @param prepare what the protocol says in the clear before TLS begins (SSLRequest)
 * @throws PosternError UPSTREAM_TLS_* | UPSTREAM_UNREACHABLE | CANCELLED; INVALID_ARGUMENT for TLS material that does not parse;
 *   what `prepare` throws
 */
export function secureSocket(
  socket: ConnectedSocket,
  route: DataSourceRoute,
  options: DialOptions,
  prepare?: (socket: ConnectedSocket) => Promise<void>,
): Promise<SecuredSocket> {
  return upgradeSocket(socket, () => readTlsSettings(route, options), options, { prepare })
}

/** {@link secureSocket} with settings that no route holds, and a check of what the settings cannot say. */
export async function upgradeSocket(
  socket: ConnectedSocket,
  readSettings: () => Promise<TlsClientOptions>,
  options: DialOptions,
  steps: {
    readonly prepare?: ((socket: ConnectedSocket) => Promise<void>) | undefined
    readonly check?: (peer: TlsPeer) => void
  },
): Promise<SecuredSocket> {
  const upgrade = async (): Promise<SecuredSocket> => {
    const settings = await readSettings()
    await steps.prepare?.(socket)
    const secured = await socket.upgradeToTls(settings)
    steps.check?.(secured.describePeer())
    options.onStage?.('tls', describeTlsPeer(secured.describePeer(), settings, new Date()))
    return secured
  }
  try {
    return await socketInTime(upgrade(), options, [
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the TLS handshake in time',
    ])
  } catch (thrown) {
    socket.destroy()
    throw tlsFailure(thrown)
  }
}
