import { isIP, type Socket } from 'node:net'
import {
  checkServerIdentity,
  connect as connectTlsSocket,
  createSecureContext,
  TLSSocket,
  type PeerCertificate,
  type SecureContext,
} from 'node:tls'
import { POSTGRES_ALPN } from '../alpn.ts'
import type { SecuredSocket, TlsByteSocket, TlsClientOptions, TlsIdentity, TlsPeer } from '../byte-socket.ts'
import { connectionClosed, NodeSocket } from './node-socket.ts'

/** A socket above TLS. It is handed out once its handshake is done and accepted. */
class NodeTlsSocket extends NodeSocket implements TlsByteSocket, SecuredSocket {
  serverName: string | undefined
  alpnProtocol: string | undefined
  readonly handshake: Promise<NodeTlsSocket>
  readonly #tls: TLSSocket

  /** @param done event that says the handshake is done, and for a client that the server is verified as asked */
  constructor(stream: TLSSocket, below: NodeSocket, done: 'secure' | 'secureConnect') {
    super(stream, below.remoteAddress, below.remotePort)
    this.#tls = stream
    const { promise, resolve, reject } = Promise.withResolvers<NodeTlsSocket>()
    this.handshake = promise
    stream.once(done, () => {
      // Of a server's socket only; absent in the types.
      const { servername } = stream as { servername?: string | false | null }
      this.serverName = servername ? servername.toLowerCase() : undefined
      this.alpnProtocol = stream.alpnProtocol || undefined
      resolve(this)
    })
    stream.once('error', (error: Error & { code?: string }) => reject(error.code ? error : connectionClosed(error)))
    stream.once('close', () => reject(connectionClosed(undefined)))
  }

  describePeer(): TlsPeer {
    return {
      protocol: this.#tls.getProtocol() ?? '',
      cipher: this.#tls.getCipher()?.name,
      certificate: this.#tls.getPeerX509Certificate()?.raw,
    }
  }
}

/** @throws Error with the code of the TLS library when certificate and key do not parse or do not belong together */
export function secureContext({ certificateChainPem, privateKeyPem }: TlsIdentity): SecureContext {
  return createSecureContext({ cert: certificateChainPem, key: privateKeyPem })
}

/**
 * The server side of TLS over an accepted socket. No client certificate is asked for.
 * @param firstBytes the ClientHello as far as it was read already
 */
export function acceptTls(below: NodeSocket, context: SecureContext, firstBytes: Uint8Array): Promise<TlsByteSocket> {
  return upgrade(below, 'secure', (stream) => {
    // A TLS socket begins with what its stream has buffered.
    if (firstBytes.length > 0) stream.unshift(Buffer.from(firstBytes))
    return new TLSSocket(stream, {
      isServer: true,
      secureContext: context,
      requestCert: false,
      ALPNProtocols: [POSTGRES_ALPN],
    })
  })
}

/** The client side of TLS over an outgoing socket. */
export async function connectTls(below: NodeSocket, options: TlsClientOptions): Promise<SecuredSocket> {
  const { serverName, verify } = options
  if (verify === 'full' && serverName === undefined) {
    const message = 'no name was given to check the certificate against'
    throw Object.assign(new Error(message), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  }
  return upgrade(below, 'secureConnect', (socket) =>
    connectTlsSocket({
      socket,
      // An address is no SNI name (RFC 6066 section 3).
      servername: serverName === undefined || isIP(serverName) ? '' : serverName,
      ca: options.caPem,
      cert: options.certificatePem,
      key: options.privateKeyPem,
      rejectUnauthorized: verify !== 'none',
      ...(options.minVersion !== undefined && { minVersion: options.minVersion }),
      // Asked once the chain is good.
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        verify === 'full' ? checkServerIdentity(serverName ?? '', certificate) : undefined,
    }),
  )
}

async function upgrade(
  below: NodeSocket,
  done: 'secure' | 'secureConnect',
  wrap: (stream: Socket) => TLSSocket,
): Promise<NodeTlsSocket> {
  let above: NodeTlsSocket | undefined
  below.succeedBy((stream) => (above = new NodeTlsSocket(wrap(stream), below, done)))
  return (above as unknown as NodeTlsSocket).handshake
}
