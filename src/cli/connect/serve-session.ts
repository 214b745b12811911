import { createHash, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { readAuthenticationRequest } from '../../pgwire/authentication-request.ts'
import { type ErrorFields, writeErrorResponse } from '../../pgwire/error-response.ts'
import { readPasswordMessage, writePasswordMessage } from '../../pgwire/frontend-messages.ts'
import { parseFirstPacket } from '../../pgwire/startup-packet.ts'
import type { Secret } from '../../base/secret.ts'
import { CliError } from '../cli-error.ts'
import { WireReader } from './wire-reader.ts'

/** What a session of a local tool needs. */
export interface LocalSession {
  /** What the tool must give; undefined lets in whoever reaches the port. */
  readonly localPassword: Secret | undefined
  /** A verified way to the gateway. */
  openGateway(): Promise<Socket>
  credential(): Promise<Secret>
}

/** Both need an answer before this; then a session may be idle for as long as it likes. */
const loginTimeoutMs = 60_000

/**
 * Serves one local socket until it closes: a session, or a cancel request. What the tool sends reaches the gateway as it is,
 * save for the password, in whose place the credential goes; what the gateway answers reaches the tool as it is.
 */
export async function serveSession(client: Socket, session: LocalSession): Promise<void> {
  client.on('error', () => client.destroy())
  client.setNoDelay(true)
  const deadline = setTimeout(() => client.destroy(), loginTimeoutMs)
  let gateway: Socket | undefined
  try {
    const fromClient = new WireReader(client)
    const packet = await readRequest(client, fromClient)
    if (packet === undefined) return void client.destroy()
    gateway = await session.openGateway()
    const opened = gateway
    opened.on('error', () => client.destroy())
    client.once('close', () => opened.destroy())
    if (client.destroyed) return void opened.destroy()
    opened.write(packet.bytes)
    if (packet.kind === 'cancel') return await endAfterAnswer(client, opened)
    const fromGateway = new WireReader(opened)
    if (!(await logIn({ client, fromClient, gateway: opened, fromGateway }, session))) return void client.end()
    relay(client, fromClient, opened, fromGateway)
  } catch (thrown) {
    gateway?.destroy()
    client.end(writeErrorResponse(asErrorFields(thrown)))
  } finally {
    clearTimeout(deadline)
  }
}

interface Request {
  readonly kind: 'startup' | 'cancel'
  readonly bytes: Uint8Array
}

/** The first packet that asks for something. There is no TLS on loopback: `N`, as a server without it says. */
async function readRequest(client: Socket, fromClient: WireReader): Promise<Request | undefined> {
  for (let encryptionAsked = 0; encryptionAsked <= 2; encryptionAsked++) {
    const bytes = await fromClient.firstPacket()
    if (bytes === undefined) return undefined
    const packet = parseFirstPacket(bytes)
    if (packet.kind === 'startup' || packet.kind === 'cancel') return { kind: packet.kind, bytes }
    if (packet.kind !== 'ssl-request' && packet.kind !== 'gss-request') return undefined
    client.write('N')
  }
  return undefined
}

interface Login {
  readonly client: Socket
  readonly fromClient: WireReader
  readonly gateway: Socket
  readonly fromGateway: WireReader
}

/** @returns whether the gateway let the session in; if not, the tool has read why */
async function logIn({ client, fromClient, gateway, fromGateway }: Login, session: LocalSession): Promise<boolean> {
  let isAdmitted = false
  for (;;) {
    const message = await fromGateway.message()
    if (message === undefined) throw new CliError('unreachable', 'the gateway closed before it let the session in')
    if (message.type !== 'R') {
      client.write(message.bytes)
      if (message.type === 'E') return false
      continue
    }
    const request = readAuthenticationRequest(message.body)
    if (request?.kind === 'ok' && isAdmitted) {
      client.write(message.bytes)
      return true
    }
    // A gateway that asks for no password would let in whoever reaches the local port.
    if (request?.kind !== 'cleartext-password' || isAdmitted) {
      throw new CliError('internal', 'the gateway asks for another kind of authentication than a credential', {
        hint: 'Use the same version of Postern on both sides.',
      })
    }
    if (session.localPassword !== undefined) {
      client.write(message.bytes)
      if (!(await givesPassword(fromClient, session.localPassword))) {
        client.write(writeErrorResponse(wrongPassword))
        return false
      }
    }
    isAdmitted = true
    gateway.write(writePasswordMessage((await session.credential()).reveal()))
  }
}

const wrongPassword: ErrorFields = {
  severity: 'FATAL',
  sqlstate: '28P01',
  message: 'password authentication failed: this is not the local password of postern connect',
  hint: 'Use the password that `postern connect` shows.',
}

async function givesPassword(fromClient: WireReader, expected: Secret): Promise<boolean> {
  const message = await fromClient.message()
  const given = message?.type === 'p' ? readPasswordMessage(message.body) : undefined
  if (given === undefined) return false
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected.reveal()))
}

function relay(client: Socket, fromClient: WireReader, gateway: Socket, fromGateway: WireReader): void {
  const toGateway = fromClient.release()
  const toClient = fromGateway.release()
  if (toGateway.length > 0) gateway.write(toGateway)
  if (toClient.length > 0) client.write(toClient)
  client.pipe(gateway)
  gateway.pipe(client)
}

/** The gateway closes once it has passed the cancellation on; libpq waits for that. */
function endAfterAnswer(client: Socket, gateway: Socket): Promise<void> {
  return new Promise((resolve) => {
    gateway.once('close', () => {
      client.end()
      resolve()
    })
    gateway.resume()
  })
}

/** A failure on our side, as the tool can show it. */
function asErrorFields(thrown: unknown): ErrorFields {
  const isOurs = thrown instanceof CliError
  const isDenied = isOurs && thrown.failure === 'denied'
  return {
    severity: 'FATAL',
    sqlstate: isDenied ? '28000' : '08006',
    message: isOurs ? `postern connect: ${thrown.message}` : 'postern connect failed',
    ...(isOurs && thrown.hint !== undefined && { hint: thrown.hint }),
  }
}
