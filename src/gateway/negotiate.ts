import { LoginChannel } from '../access/upstream/login-channel.ts'
import { PosternError } from '../base/errors.ts'
import { POSTGRES_ALPN_PROTOCOL, TLS_HANDSHAKE_RECORD } from '../pgwire/codes.ts'
import {
  type CancelRequest,
  type FirstPacket,
  parseFirstPacket,
  type StartupMessage,
} from '../pgwire/startup-packet.ts'
import type { AcceptedSocket, TlsByteSocket } from '../transport/byte-socket.ts'

/** A client that speaks TLS and said what it wants. */
export interface TlsStartup {
  readonly kind: 'startup'
  readonly channel: LoginChannel
  readonly startup: StartupMessage
  /** Host name that the client connected to, where it said so (SNI). */
  readonly serverName: string | undefined
}

/** A request to stop another session's query; comes in clear or inside TLS, and is answered by closing alone. */
export interface CancelAsked {
  readonly kind: 'cancel'
  readonly channel: LoginChannel
  readonly request: CancelRequest
}

/** The client broke the rules before anything could be answered safely: close without a word. */
export class UnansweredViolation extends Error {
  override readonly name = 'UnansweredViolation'
}

/**
 * Brings a client to TLS and reads its first request.
 *
 * In clear it may ask for TLS once (SSLRequest, or a direct TLS handshake with the ALPN protocol `postgresql`), for GSS
 * encryption once (always answered `N`), or for a cancellation. A StartupMessage in clear is refused before any parameter of
 * it is used and before a password is asked for. Bytes that arrive glued behind SSLRequest would be read as if they had come
 * inside TLS: that closes the socket (CVE-2021-23222 and its kin).
 *
 * @throws PosternError TLS_REQUIRED | PROTOCOL_VIOLATION | FEATURE_NOT_SUPPORTED; UnansweredViolation; PeerGone
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
 */
export async function negotiate(
  socket: AcceptedSocket,
  onChannel: (channel: LoginChannel) => void,
): Promise<TlsStartup | CancelAsked> {
  const channel = new LoginChannel(socket)
  onChannel(channel)
  let gssAnswered = false
  for (;;) {
    if ((await channel.peekByte()) === TLS_HANDSHAKE_RECORD) {
      const secured = await socket.upgradeToTls(channel.takeRaw())
      if (secured.alpnProtocol !== POSTGRES_ALPN_PROTOCOL)
        throw violation(secured, 'direct TLS without ALPN postgresql')
      return await insideTls(secured, 'direct', onChannel)
    }
    const packet = await readPacket(channel)
    switch (packet.kind) {
      case 'ssl-request': {
        if (channel.hasUnread) throw new UnansweredViolation('unencrypted data after SSLRequest')
        channel.write(Buffer.from('S'))
        const secured = await socket.upgradeToTls(new Uint8Array())
        const { alpnProtocol } = secured
        if (alpnProtocol !== undefined && alpnProtocol !== POSTGRES_ALPN_PROTOCOL)
          throw violation(secured, 'other ALPN')
        return await insideTls(secured, 'requested', onChannel)
      }
      case 'gss-request':
        if (gssAnswered || channel.hasUnread) throw new UnansweredViolation('repeated GSSENCRequest, or data behind it')
        gssAnswered = true
        channel.write(Buffer.from('N'))
        break
      case 'cancel':
        return { kind: 'cancel', channel, request: packet }
      case 'startup':
      case 'unsupported-version':
        throw new PosternError(
          'TLS_REQUIRED',
          'this gateway accepts TLS only: the login was refused before a password was asked for',
          {
            hint: 'Connect with sslmode=require, or better sslmode=verify-full with the CA file of the gateway.',
          },
        )
      case 'malformed':
        // What comes in clear and is no Postgres packet may be any protocol at all.
        throw new UnansweredViolation(packet.reason)
    }
  }
}

async function insideTls(
  socket: TlsByteSocket,
  how: 'direct' | 'requested',
  onChannel: (channel: LoginChannel) => void,
): Promise<TlsStartup | CancelAsked> {
  const channel = new LoginChannel(socket)
  onChannel(channel)
  let sslRequestAllowed = how === 'direct'
  let gssRequestAllowed = true
  for (;;) {
    const packet = await readPacket(channel)
    switch (packet.kind) {
      case 'startup':
        return { kind: 'startup', channel, startup: packet, serverName: socket.serverName }
      case 'cancel':
        return { kind: 'cancel', channel, request: packet }
      case 'ssl-request':
        if (!sslRequestAllowed) throw new PosternError('PROTOCOL_VIOLATION', 'SSLRequest inside TLS')
        sslRequestAllowed = false
        channel.write(Buffer.from('N'))
        break
      case 'gss-request':
        if (!gssRequestAllowed) throw new PosternError('PROTOCOL_VIOLATION', 'GSSENCRequest twice')
        gssRequestAllowed = false
        channel.write(Buffer.from('N'))
        break
      case 'unsupported-version':
        throw new PosternError(
          'FEATURE_NOT_SUPPORTED',
          `unsupported frontend protocol ${packet.major}.${packet.minor}: this gateway speaks 3.0 to 3.2`,
          { hint: 'Use a client that speaks version 3 of the protocol.' },
        )
      case 'malformed':
        throw new PosternError('PROTOCOL_VIOLATION', `malformed startup packet: ${packet.reason}`)
    }
  }
}

async function readPacket(channel: LoginChannel): Promise<FirstPacket> {
  const packet = await channel.readFirstPacket()
  return packet === undefined ? { kind: 'malformed', reason: 'packet-length' } : parseFirstPacket(packet)
}

function violation(socket: TlsByteSocket, what: string): UnansweredViolation {
  socket.destroy()
  return new UnansweredViolation(what)
}
