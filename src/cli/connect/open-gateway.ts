import { connect, type TLSSocket } from 'node:tls'
import { POSTGRES_ALPN_PROTOCOL } from '../../pgwire/codes.ts'
import { CliError } from '../cli-error.ts'
import { loopbackAddress } from '../gateway-target.ts'

/** How the gateway is reached, and what it must prove. */
export interface GatewayAddress {
  /** Sent as SNI; the certificate must hold it. */
  readonly host: string
  readonly port: number
  /** PEM; undefined trusts the authorities of the machine. */
  readonly ca: string | undefined
}

const connectTimeoutMs = 15_000

/**
 * A TLS session with the gateway, its certificate verified: a credential is sent through it next.
 * The handshake comes first (direct TLS of PostgreSQL 17), so that nothing is ever sent in clear.
 * @throws CliError unreachable
 */
export async function openGateway({ host, port, ca }: GatewayAddress): Promise<TLSSocket> {
  const address = (await loopbackAddress(host)) ?? host
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port,
      servername: host,
      ALPNProtocols: [POSTGRES_ALPN_PROTOCOL],
      ...(ca !== undefined && { ca }),
    })
    const fail = (cause: NodeJS.ErrnoException) => {
      socket.destroy()
      const why = cause.code ?? 'no answer'
      reject(
        new CliError('unreachable', `the gateway ${host}:${port} cannot be reached (${why})`, {
          hint: 'Check the network and --gateway-ca-file.',
          cause,
        }),
      )
    }
    const onTimeout = () => fail(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' }))
    socket.setTimeout(connectTimeoutMs, onTimeout)
    socket.once('error', fail)
    socket.once('secureConnect', () => {
      socket.off('error', fail)
      socket.setTimeout(0)
      socket.off('timeout', onTimeout)
      socket.setNoDelay(true)
      resolve(socket)
    })
  })
}
