import { constants } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity, createSecureContext } from 'node:tls'
import { POSTGRES_ALPN } from '../alpn.ts'
import type { SecuredSocket, TlsByteSocket, TlsClientOptions, TlsIdentity, TlsPeer } from '../byte-socket.ts'
import { nativeEvents, NativeSocket } from './native-socket.ts'

type Native = Bun.Socket<NativeSocket>
/** Judges a finished handshake: the error to refuse it with, or undefined. `error` is what the runtime says of the peer's certificate. */
type Refusal = (native: Native, ok: boolean, error: TlsError | null) => Error | undefined
type TlsError = Error & { readonly code?: string }
/** What @types/bun does not know yet: both are needed for the server side. */
interface ServerUpgrade {
  readonly isServer?: true
  readonly initialData?: Uint8Array
}

const NAME_MISMATCH = 'ERR_TLS_CERT_ALTNAME_INVALID'
/** Each name is preceded by its length (RFC 7301 section 3.1); the runtime takes no list of strings. */
const ALPN_WIRE_FORMAT = Buffer.from(`${String.fromCharCode(POSTGRES_ALPN.length)}${POSTGRES_ALPN}`)
/** The runtime takes no lowest version, but the flags of its TLS library. */
const OLDER_THAN_TLS_1_3 = constants.SSL_OP_NO_TLSv1 | constants.SSL_OP_NO_TLSv1_1 | constants.SSL_OP_NO_TLSv1_2
/** Codes that say the handshake itself failed; every other one is about the certificate. */
const HANDSHAKE_FAILURES: ReadonlySet<unknown> = new Set(['EPROTO', 'ECONNRESET'])

/** A socket above TLS. It is handed out once its handshake is done and accepted. */
class NativeTlsSocket extends NativeSocket implements TlsByteSocket, SecuredSocket {
  serverName: string | undefined
  alpnProtocol: string | undefined
  readonly #giveUp: 'close' | 'terminate'
  readonly #refusal: Refusal
  readonly #outcome = Promise.withResolvers<NativeTlsSocket>()

  /** @param giveUp what to do with a connection whose handshake is refused */
  constructor(below: NativeSocket, giveUp: 'close' | 'terminate', refusal: Refusal) {
    super(below.remoteAddress, below.remotePort)
    this.#giveUp = giveUp
    this.#refusal = refusal
  }

  get handshake(): Promise<NativeTlsSocket> {
    return this.#outcome.promise
  }

  handshaken(native: Native, ok: boolean, error: TlsError | null): void {
    const refused = this.#refusal(native, ok, error)
    if (refused === undefined) {
      this.serverName = native.getServername()?.toLowerCase() || undefined
      this.alpnProtocol = native.alpnProtocol || undefined
      this.#outcome.resolve(this)
    } else {
      this.#outcome.reject(refused)
      native[this.#giveUp]()
    }
  }

  describePeer(): TlsPeer {
    return {
      protocol: this.native?.getTLSVersion() ?? '',
      cipher: this.native?.getCipher()?.name,
      certificate: this.native?.getPeerX509Certificate()?.raw,
    }
  }

  override closed(error: Error | undefined): void {
    // Of no effect after the handshake.
    this.#outcome.reject(handshakeFailed(error))
    super.closed(error)
  }
}

const tlsEvents = {
  ...nativeEvents,
  handshake: (native: Native, ok: boolean, error: Error | null) =>
    (native.data as NativeTlsSocket).handshaken(native, ok, error),
}

/**
 * The server side of TLS over an accepted socket. No client certificate is asked for.
 * @param firstBytes the ClientHello as far as it was read already
 */
export function acceptTls(below: NativeSocket, identity: TlsIdentity, firstBytes: Uint8Array): Promise<TlsByteSocket> {
  // `error` is always set here: it says that the client showed no certificate.
  const above = new NativeTlsSocket(below, 'close', (_native, ok, error) => (ok ? undefined : handshakeFailed(error)))
  return upgrade(below, above, serverOptions(identity), (unread) => ({
    isServer: true,
    initialData: Buffer.concat([firstBytes, ...unread]),
  }))
}

/** The client side of TLS over an outgoing socket. */
export async function connectTls(below: NativeSocket, options: TlsClientOptions): Promise<SecuredSocket> {
  const { serverName, verify } = options
  if (verify === 'full' && serverName === undefined)
    throw nameMismatch('no name was given to check the certificate against')
  const tls: Bun.TLSOptions = {
    // An address is no SNI name (RFC 6066 section 3); the certificate is checked against it by refuseServer.
    serverName: serverName === undefined || isIP(serverName) ? '' : serverName,
    ca: options.caPem,
    cert: options.certificatePem,
    key: options.privateKeyPem,
    rejectUnauthorized: verify === 'full' && !checksAddress(options),
    ...(options.minVersion === 'TLSv1.3' && { secureOptions: OLDER_THAN_TLS_1_3 }),
  }
  // Not close(): a TLS 1.3 client would send its certificate before it closes.
  const above = new NativeTlsSocket(below, 'terminate', (native, ok, error) => refuseServer(options, native, ok, error))
  return upgrade(below, above, tls, () => ({}))
}

/** @throws Error with the code of the TLS library when certificate and key do not parse or do not belong together */
export function checkIdentity({ certificateChainPem, privateKeyPem }: TlsIdentity): void {
  createSecureContext({ cert: certificateChainPem, key: privateKeyPem })
}

function serverOptions({ certificateChainPem, privateKeyPem }: TlsIdentity): Bun.TLSOptions {
  return { cert: certificateChainPem, key: privateKeyPem, ALPNProtocols: ALPN_WIRE_FORMAT }
}

function upgrade(
  below: NativeSocket,
  above: NativeTlsSocket,
  tls: Bun.TLSOptions,
  server: (unread: readonly Uint8Array[]) => ServerUpgrade,
): Promise<NativeTlsSocket> {
  const { native, unread } = below.succeedBy(above)
  try {
    const options: Bun.TLSUpgradeOptions<NativeSocket> & ServerUpgrade = {
      data: above,
      tls,
      socket: tlsEvents,
      ...server(unread),
    }
    const [ciphertext, plaintext] = native.upgradeTLS(options)
    above.attach(plaintext)
    if (options.isServer === undefined) stopCiphertextCopies(ciphertext)
  } catch (thrown) {
    // A certificate or key that does not parse.
    native.terminate()
    return Promise.reject(thrown instanceof Error ? thrown : new Error('TLS cannot begin', { cause: thrown }))
  }
  return above.handshake
}

/**
 * The runtime copies every ciphertext chunk for the `data` handler of the socket below, unless it has none. An outgoing socket
 * has handlers of its own and can drop it; accepted sockets share the listener's, where `received` ignores the copies.
 */
function stopCiphertextCopies(ciphertext: Native): void {
  ciphertext.reload({ socket: { drain() {} } })
}

function refuseServer(
  options: TlsClientOptions,
  native: Native,
  ok: boolean,
  error: TlsError | null,
): Error | undefined {
  switch (options.verify) {
    case 'none':
      return error !== null && HANDSHAKE_FAILURES.has(error.code) ? handshakeFailed(error) : undefined
    case 'chain':
      return hasGoodChain(ok, error) ? undefined : handshakeFailed(error)
    case 'full':
      if (checksAddress(options)) {
        if (!hasGoodChain(ok, error)) return handshakeFailed(error)
        return checkServerIdentity(options.serverName ?? '', native.getPeerCertificate())
      }
      if (!ok || error !== null || !native.authorized) return handshakeFailed(error)
      return checkServerIdentity(options.serverName ?? '', native.getPeerCertificate())
  }
}

/** Without a name the runtime compares the certificate with where the socket leads, which is not there where it goes through SSH. */
function checksAddress({ serverName }: TlsClientOptions): boolean {
  return serverName !== undefined && isIP(serverName) !== 0
}

/** The chain is judged before the name: a wrong name means that the chain is good. */
function hasGoodChain(ok: boolean, error: TlsError | null): boolean {
  return (ok && error === null) || error?.code === NAME_MISMATCH
}

/** The runtime's error with its code, or one that says as much as is known. */
function handshakeFailed(error: Error | null | undefined): Error {
  return (
    error ?? Object.assign(new Error('the connection closed before its TLS handshake was done'), { code: 'ECONNRESET' })
  )
}

function nameMismatch(message: string): Error {
  return Object.assign(new Error(message), { code: NAME_MISMATCH })
}
