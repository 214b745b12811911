import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { serialize } from 'pg-protocol'
import { errorOf, protocol30, rowOf, startupMessage, type RawMessage } from './raw-pg-messages.ts'

export interface RawTlsOptions {
  readonly ca: string
  /** Sent by SNI and checked against the certificate; undefined sends none. */
  readonly serverName?: string
  readonly alpnProtocols?: readonly string[]
}

const defaultTimeoutMs = 10_000

/**
 * A Postgres client that does only what it is told, byte by byte: it can split, repeat, corrupt and stop anywhere. It shares
 * no code with Postern; messages are read by pg-protocol. Every wait is bounded.
 */
export class RawPgClient {
  #socket: Socket | TLSSocket
  readonly #tcp: Socket
  #received: Buffer = Buffer.alloc(0)
  #receivedBytes = 0
  #ended = false
  #closed = false
  #wake: (() => void)[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#tcp = socket
    this.#listen()
  }

  /** Opens a TCP connection and sends nothing. */
  static async open(host: string, port: number): Promise<RawPgClient> {
    const socket = connect({ host, port })
    await once(socket, 'connect', { signal: AbortSignal.timeout(defaultTimeoutMs) })
    socket.setNoDelay(true)
    return new RawPgClient(socket)
  }

  /** Opens a TCP connection, asks for TLS by SSLRequest and finishes the handshake. */
  static async openTls(host: string, port: number, tls: RawTlsOptions): Promise<RawPgClient> {
    const client = await RawPgClient.open(host, port)
    await client.write(serialize.requestSsl())
    const answer = await client.readBytes(1)
    if (answer.toString('latin1') !== 'S')
      throw new Error(`SSLRequest was answered ${JSON.stringify(answer.toString('latin1'))}`)
    await client.startTls(tls)
    return client
  }

  /** Opens a TCP connection whose first byte is the ClientHello (direct TLS, `sslnegotiation=direct`). */
  static async openDirectTls(host: string, port: number, tls: RawTlsOptions): Promise<RawPgClient> {
    const client = await RawPgClient.open(host, port)
    await client.startTls({ alpnProtocols: ['postgresql'], ...tls })
    return client
  }

  /** Starts the TLS handshake on the open connection; rejects when it fails or the certificate does not verify. */
  async startTls(tls: RawTlsOptions): Promise<void> {
    this.#socket.removeAllListeners('data')
    const options: ConnectionOptions = {
      socket: this.#socket,
      ca: tls.ca,
      rejectUnauthorized: true,
      ...(tls.serverName === undefined ? { checkServerIdentity: () => undefined } : { servername: tls.serverName }),
      ...(tls.alpnProtocols !== undefined && { ALPNProtocols: [...tls.alpnProtocols] }),
    }
    const secure = connectTls(options)
    try {
      await once(secure, 'secureConnect', { signal: AbortSignal.timeout(defaultTimeoutMs) })
    } catch (error) {
      secure.destroy()
      throw error
    }
    this.#socket = secure
    this.#listen()
  }

  /** Protocol that the server chose by ALPN. */
  get alpnProtocol(): string | false | null {
    return 'alpnProtocol' in this.#socket ? this.#socket.alpnProtocol : null
  }

  /** Certificate that the server showed, once TLS is up. */
  get peerCertificatePem(): string {
    if (!('getPeerCertificate' in this.#socket)) throw new Error('there is no TLS on this connection')
    const lines =
      this.#socket
        .getPeerCertificate()
        .raw.toString('base64')
        .match(/.{1,64}/g) ?? []
    return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
  }

  /** Bytes received so far, those of TLS itself not counted. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** The server has closed the connection, or it broke. */
  get isClosed(): boolean {
    return this.#closed || this.#ended
  }

  /** Sends bytes and waits until the kernel has them. A connection that is closed meanwhile is no error here. */
  async write(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()))
  }

  /** Sends bytes in pieces of `size`, each in a segment of its own. */
  async writeInPieces(bytes: Uint8Array, size: number, pauseMs = 1): Promise<void> {
    for (let at = 0; at < bytes.length; at += size) {
      await this.write(bytes.subarray(at, at + size))
      await sleep(pauseMs)
    }
  }

  /** Sends a StartupMessage. */
  startup(parameters: Readonly<Record<string, string>>, version = protocol30): Promise<void> {
    return this.write(startupMessage(parameters, version))
  }

  /** Sends a PasswordMessage. */
  password(text: string): Promise<void> {
    return this.write(serialize.password(text))
  }

  /** Runs a simple query and gives the rows of its answer as text, up to ReadyForQuery. */
  async query(sql: string, timeoutMs = defaultTimeoutMs): Promise<(string | null)[][]> {
    await this.write(serialize.query(sql))
    const messages = await this.readUntil('Z', timeoutMs)
    const failure = messages.find((message) => message.type === 'E')
    if (failure !== undefined) throw new Error(`${errorOf(failure).sqlstate} ${errorOf(failure).message}`)
    return messages.filter((message) => message.type === 'D').map(rowOf)
  }

  /**
   * Logs in with a cleartext password and reads up to the first ReadyForQuery.
   * @returns every message on the way; the last one is `E` where the login was refused
   */
  async logIn(parameters: Readonly<Record<string, string>>, password: string): Promise<RawMessage[]> {
    await this.startup(parameters)
    const first = await this.readMessage()
    if (first.type !== 'R') return [first]
    await this.password(password)
    return [first, ...(await this.readUntil('ZE'))]
  }

  /** The next `count` bytes, whatever they mean. */
  async readBytes(count: number, timeoutMs = defaultTimeoutMs): Promise<Buffer> {
    await this.#until(() => this.#received.length >= count, timeoutMs, `${count} bytes`)
    return this.#take(count)
  }

  /** The next message, whole. */
  async readMessage(timeoutMs = defaultTimeoutMs): Promise<RawMessage> {
    await this.#until(() => this.#messageLength() !== undefined, timeoutMs, 'a message')
    const bytes = this.#take(this.#messageLength() ?? 0)
    return { type: bytes.toString('latin1', 0, 1), body: bytes.subarray(5) }
  }

  /** Messages up to and including the first of one of these types. */
  async readUntil(types: string, timeoutMs = defaultTimeoutMs): Promise<RawMessage[]> {
    const messages: RawMessage[] = []
    do messages.push(await this.readMessage(timeoutMs))
    while (!types.includes(messages.at(-1)?.type ?? ''))
    return messages
  }

  /** Waits for the server to close the connection and gives the bytes that came before it. */
  async readToEnd(timeoutMs = defaultTimeoutMs): Promise<Buffer> {
    await this.#until(() => this.isClosed, timeoutMs, 'the end of the connection')
    return this.#take(this.#received.length)
  }

  /** Half-close: no more bytes from here, reading goes on. */
  halfClose(): void {
    this.#socket.end()
  }

  /** Stops reading, so that the server's send buffers fill up. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Closes the TCP connection itself: no goodbye of TLS, as when the client's process dies. */
  cut(): void {
    this.#tcp.destroy()
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#receivedBytes += chunk.length
      this.#notify()
    })
    this.#socket.on('end', () => {
      this.#ended = true
      this.#notify()
    })
    this.#socket.on('close', () => {
      this.#closed = true
      this.#notify()
    })
    // A reset is one of the ends that a test waits for; `close` follows it.
    this.#socket.on('error', () => undefined)
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  async #until(ready: () => boolean, timeoutMs: number, what: string): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!ready()) {
      if (this.isClosed)
        throw new Error(`the connection ended before ${what} came; ${this.#received.length} bytes were left`)
      const remainingMs = deadline - performance.now()
      if (remainingMs <= 0) throw new Error(`${what} did not come within ${timeoutMs} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, remainingMs)
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** Length of the whole first message in the buffer, or undefined while part of it is missing. */
  #messageLength(): number | undefined {
    if (this.#received.length < 5) return undefined
    const total = 1 + this.#received.readInt32BE(1)
    return this.#received.length >= total ? total : undefined
  }

  #take(count: number): Buffer {
    const taken = this.#received.subarray(0, count)
    this.#received = this.#received.subarray(count)
    return taken
  }
}
