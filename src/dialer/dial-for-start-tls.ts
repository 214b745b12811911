import type { Duplex } from 'node:stream'
import { toDuplex } from '../transport/duplex.ts'
import { isUnixRoute, type DataSourceRoute } from './data-source-route.ts'
import { dialCloudSql } from './dial-cloud-sql.ts'
import { withTimeLeft, type DialOptions } from './dial-options.ts'
import { dialPlain } from './dial-plain.ts'
import { secureSocket } from './secure-socket.ts'

/** A stream whose protocol begins in the clear and turns to TLS on the driver's word. */
export interface StartTlsStream {
  /** Nothing was sent or read yet. Its end is also told when the secured stream above it ends. */
  readonly stream: Duplex
  /** Absent where the route has no TLS; otherwise nothing secret may be written before it is done. */
  readonly tls: StartTls | undefined
}

export interface StartTls {
  /**
   * Begins TLS over the stream, once the driver has written its request for it; from then on the stream itself must not be used but
   * for `destroy`. Verification, client certificate, deadline and the stage `tls` are those of the route: a driver's own
   * settings for TLS do not count.
   *
   * @throws PosternError UPSTREAM_TLS_* | UPSTREAM_UNREACHABLE | CANCELLED; the stream is closed then
   */
  secure(): Promise<Duplex>
}

/**
 * {@link dialPlain} for drivers that ask for TLS inside their own protocol (MySQL family).
 * @throws PosternError as dialPlain
 */
export async function dialForStartTls(route: DataSourceRoute, options: DialOptions): Promise<StartTlsStream> {
  // Its TLS is done by then.
  if (route.loginMethod === 'gcp_iam') return { stream: toDuplex(await dialCloudSql(route, options)), tls: undefined }
  const deadlineAt = performance.now() + options.timeoutMs
  const socket = await dialPlain(route, options)
  const stream = toDuplex(socket)
  if (isUnixRoute(route) || route.tlsMode === 'disable') return { stream, tls: undefined }
  return {
    stream,
    tls: {
      async secure() {
        const secured = toDuplex(await secureSocket(socket, route, withTimeLeft(options, deadlineAt)))
        secured.once('close', () => stream.destroy())
        return secured
      },
    },
  }
}
