/**
 * The seam between Postern and the runtime's sockets: an open, ordered byte stream with explicit back-pressure.
 *
 * The rules that matter on the hot path: `write` takes what the kernel takes and never buffers, so the caller keeps the rest
 * and waits for `onDrain`; chunks handed to `onData` belong to the runtime and are only valid during the call (afterwards
 * they may be empty); handlers are synchronous; `pause` stops `onData` (and, on some runtimes, hides the peer's close until
 * `resume`).
 */
export interface ByteSocket {
  readonly remoteAddress: string
  readonly remotePort: number
  /**
   * Takes a prefix of `bytes` and returns its length, 0 when the send buffer is full, -1 when the socket is closed or we ended it.
   * What was not taken must be the beginning of the next write.
   */
  write(bytes: Uint8Array): number
  pause(): void
  resume(): void
  /** Half-close: no more writes from us, reading goes on. */
  end(): void
  /**
   * Closes both directions, without waiting for a peer that does not read. What `write` took still goes out, unless the last one
   * did not take all of its bytes: then the end of it may be discarded. `onClose` follows, after this returned.
   */
  destroy(): void
  /** Replaces the handlers; what arrived before is delivered to the new ones, after this returned. */
  setHandlers(handlers: ByteSocketHandlers): void
}

export interface ByteSocketHandlers {
  onData(chunk: Uint8Array): void
  /** The send buffer has room again. May also come unasked. */
  onDrain(): void
  /** The peer half-closed: no more `onData` follows. */
  onEnd(): void
  /** The socket is gone. Called exactly once, always, last. The error is what cut it, or what a handler threw: a throw closes the socket. */
  onClose(error?: Error): void
}

/** A server-side socket before TLS: it can be upgraded in place, once. */
export interface AcceptedSocket extends ByteSocket {
  /**
   * Starts the TLS server handshake on this socket.
   * @param firstBytes bytes of the ClientHello that were already read (direct TLS); empty after SSLRequest
   * @returns once the handshake is done; rejects when it fails. The old socket must not be used afterwards, but for `destroy`:
   *   the deadline of the handshake is the caller's.
   */
  upgradeToTls(firstBytes: Uint8Array): Promise<TlsByteSocket>
}

/** A socket whose TLS handshake is complete. */
export interface TlsByteSocket extends ByteSocket {
  /** Name the client asked for by SNI, lower case, or undefined (clients that connect by address send none). */
  readonly serverName: string | undefined
  /** Protocol agreed by ALPN, or undefined when the client offered none. */
  readonly alpnProtocol: string | undefined
}

/** PEM certificate chain and key that a listener presents. */
export interface TlsIdentity {
  readonly certificateChainPem: string
  readonly privateKeyPem: string
}

/** An open listening port. */
export interface ByteListener {
  readonly port: number
  /** New handshakes present this certificate from now on; open sessions are not touched. Throws, and changes nothing, when it is unusable. */
  setTlsIdentity(identity: TlsIdentity): void
  /** Stops accepting at once. Open sockets go on. */
  stop(): void
}

export interface ListenOptions {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Several workers share the port (SO_REUSEPORT). */
  readonly reusePort: boolean
  readonly tls: TlsIdentity
  /** Called once per accepted socket, before any byte of it is read; must set handlers synchronously. */
  onConnection(socket: AcceptedSocket): void
}

/** Where an outgoing socket goes. Names are resolved and checked by the dialer before: `address` is an IP address. */
export type ConnectTarget =
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** How the client side of TLS verifies its peer. */
export interface TlsClientOptions {
  /** Host name or address to check the certificate against; a name is also sent by SNI. `full` refuses when undefined. */
  readonly serverName: string | undefined
  /** PEM bundle, used instead of the runtime's public roots; undefined means those. */
  readonly caPem: string | undefined
  /** `chain` verifies the chain only (verify-ca), `none` encrypts only (require). */
  readonly verify: 'full' | 'chain' | 'none'
  readonly certificatePem?: string | undefined
  readonly privateKeyPem?: string | undefined
  /** Absent: that of the runtime. Before TLS 1.3 a client certificate goes over the wire in the clear. */
  readonly minVersion?: 'TLSv1.3' | undefined
}

/** What a finished handshake agreed on, and who the peer says it is. */
export interface TlsPeer {
  /** `TLSv1.3`. */
  readonly protocol: string
  /** Name of OpenSSL. */
  readonly cipher: string | undefined
  /** Certificate of the peer itself, in DER. */
  readonly certificate: Uint8Array | undefined
}

/** An outgoing socket whose TLS handshake is complete, with the server verified as asked. */
export interface SecuredSocket extends ByteSocket {
  /** Only while the socket is open. Costs some parsing: for reports, not for every session. */
  describePeer(): TlsPeer
}

/** An outgoing socket before TLS. */
export interface ConnectedSocket extends ByteSocket {
  /**
   * Starts the TLS client handshake; resolves only once the peer is verified as asked. Rejects with the `code` of the
   * verification (`DEPTH_ZERO_SELF_SIGNED_CERT`, `ERR_TLS_CERT_ALTNAME_INVALID` …) or of the failed handshake (`EPROTO`, `ECONNRESET`).
   * The deadline is the caller's: `destroy` ends it.
   */
  upgradeToTls(options: TlsClientOptions): Promise<SecuredSocket>
}

/** One implementation of sockets: `bun` (native) or `node` (portable). */
export interface Transport {
  readonly name: 'bun' | 'node'
  /** Rejects with an error whose `code` is the system's (`EADDRINUSE`, `EACCES` …). */
  listen(options: ListenOptions): Promise<ByteListener>
  /** Rejects with an error whose `code` is the system's (`ECONNREFUSED`, `ENOENT`, `EHOSTUNREACH` …), `ETIMEDOUT` after `timeoutMs`. */
  connect(target: ConnectTarget, timeoutMs: number): Promise<ConnectedSocket>
}
