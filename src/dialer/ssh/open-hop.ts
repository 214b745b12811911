import type { Duplex } from 'node:stream'
import ssh2, { type ServerHostKeyAlgorithm } from 'ssh2'
import { PosternError } from '../../base/errors.ts'
import type { SshHop } from '../data-source-route.ts'
import { algorithmsFor } from './algorithms.ts'
import { explainHandshake } from './explain-handshake.ts'
import { type HostKey, isPinned, readHostKey } from './host-key.ts'
import type { HopLogin } from './hop-login.ts'
import { ServerOffer } from './server-offer.ts'

/** How often a silent SSH server is asked whether it is there, and how many answers it may owe. */
export interface KeepAlive {
  readonly intervalMs: number
  readonly missesMax: number
}

export interface HopOptions {
  readonly hop: SshHop
  readonly login: HopLogin
  /** The SSH server, as sentences name it. */
  readonly who: string
  /** Until the login is done. */
  readonly timeoutMs: number
  readonly keepAlive: KeepAlive
  readonly hostKeys: readonly ServerHostKeyAlgorithm[]
  /** Told once the server proved that it has the pinned key. */
  readonly onStage: (
    stage: 'ssh_handshake' | 'ssh_host_key' | 'ssh_login',
    detail: Readonly<Record<string, string>>,
  ) => void
}

/** A login at an SSH server. */
export interface OpenHop {
  readonly client: ssh2.Client
  /** Settles when the server is gone, with why. Never rejects. */
  readonly closed: Promise<PosternError>
  /** `performance.now()` of the last bytes that came from it. */
  readonly heardAt: () => number
  close(): void
}

/** After goodbye, until the stream is destroyed whatever the server does. */
const GOODBYE_MS = 1_000

/**
 * Speaks SSH over a stream that is already there: handshake → host key → login. Until the server has shown the pinned host key and
 * signed with it nothing but our public half of the key exchange was sent.
 *
 * @throws PosternError UPSTREAM_SSH_UNREACHABLE | UPSTREAM_SSH_PROTOCOL | UPSTREAM_SSH_HOST_KEY_UNKNOWN |
 *   UPSTREAM_SSH_HOST_KEY_CHANGED | UPSTREAM_SSH_AUTH_FAILED | UPSTREAM_SSH_CLOSED; the stream is destroyed then
 */
export function openHop(stream: Duplex, options: HopOptions): Promise<OpenHop> {
  const { hop, login, who, keepAlive } = options
  const client = new ssh2.Client()
  const offer = new ServerOffer()
  let heardAt = performance.now()
  let stage: 'handshake' | 'host key' | 'login' | 'open' = 'handshake'
  let hostKey: HostKey | undefined
  let failure: PosternError | undefined
  const opened = Promise.withResolvers<OpenHop>()
  const closed = Promise.withResolvers<PosternError>()

  const fail = (error: PosternError): void => {
    failure ??= error
    clearTimeout(timer)
    opened.reject(failure)
    stream.destroy()
  }
  const timer = setTimeout(() => fail(tooLate(who, stage, offer)), options.timeoutMs)

  client.on('error', (cause: Error & { level?: string }) => {
    if (stage === 'open') fail(lost(who, cause))
    else if (stage === 'login') fail(cause.level === 'client-authentication' ? login.failure(cause) : lost(who, cause))
    else fail(explainHandshake(who, offer, cause))
  })
  const onGone = (): void =>
    fail(stage === 'open' || stage === 'login' ? lost(who, undefined) : explainHandshake(who, offer, undefined))
  // A channel of the server before may stay half open for ever, and the library sends no keepalive then.
  client.on('end', onGone)
  client.on('close', () => {
    onGone()
    closed.resolve(failure ?? lost(who, undefined))
  })
  client.on('handshake', ({ kex, cs }) => {
    // Also told when the keys are exchanged anew, later on.
    if (stage !== 'host key') return
    stage = 'login'
    const { fingerprint, algorithm } = hostKey!
    options.onStage('ssh_handshake', { server: offer.identification ?? '', keyExchange: kex, cipher: cs.cipher })
    options.onStage('ssh_host_key', { hostKey: fingerprint, algorithm })
  })
  client.on('ready', () => {
    stage = 'open'
    clearTimeout(timer)
    options.onStage('ssh_login', { username: hop.username, method: hop.auth })
    opened.resolve({ client, closed: closed.promise, heardAt: () => heardAt, close: () => sayGoodbye(client, stream) })
  })

  // Before the library listens: it must not flow yet.
  stream.pause()
  stream.on('data', (chunk: Buffer) => {
    heardAt = performance.now()
    offer.receive(chunk)
  })
  client.connect({
    sock: stream,
    ident: 'postern',
    username: hop.username,
    algorithms: algorithmsFor(options.hostKeys),
    hostVerifier: (blob: Buffer): boolean => {
      hostKey = readHostKey(blob)
      if (stage === 'handshake') stage = 'host key'
      const refusal = refuseHostKey(hop, hostKey, who)
      if (refusal === undefined) return true
      fail(refusal)
      return false
    },
    authHandler: login.next,
    // The deadline is ours: it knows how far we got.
    readyTimeout: 0,
    keepaliveInterval: keepAlive.intervalMs,
    keepaliveCountMax: keepAlive.missesMax,
  })
  return opened.promise
}

function refuseHostKey(hop: SshHop, found: HostKey, who: string): PosternError | undefined {
  const { fingerprint: hostKey, algorithm } = found
  const detail = { host: hop.host, port: hop.port, hostKey, algorithm }
  if (hop.hostKey === null) {
    return new PosternError(
      'UPSTREAM_SSH_HOST_KEY_UNKNOWN',
      `${who} showed the host key ${hostKey} (${algorithm}), which is not pinned yet; nothing secret was sent`,
      { detail },
    )
  }
  if (isPinned(found, hop.hostKey)) return undefined
  return new PosternError(
    'UPSTREAM_SSH_HOST_KEY_CHANGED',
    `${who} showed the host key ${hostKey} (${algorithm}) where ${hop.hostKey} is pinned; nothing secret was sent`,
    { detail: { ...detail, pinned: hop.hostKey } },
  )
}

function tooLate(who: string, stage: string, offer: ServerOffer): PosternError {
  if (!offer.hasSpoken) {
    return new PosternError('UPSTREAM_SSH_UNREACHABLE', `${who} accepted the connection and then said nothing`, {
      hint: 'Check that the port is that of an SSH server, and the firewall in front of it.',
    })
  }
  if (offer.identification === undefined) return explainHandshake(who, offer, undefined)
  return new PosternError('UPSTREAM_SSH_UNREACHABLE', `${who} did not finish the ${stage} in time`)
}

function lost(who: string, cause: unknown): PosternError {
  return new PosternError('UPSTREAM_SSH_CLOSED', `${who} ended the session or is gone`, { cause })
}

function sayGoodbye(client: ssh2.Client, stream: Duplex): void {
  client.end()
  const timer = setTimeout(() => stream.destroy(), GOODBYE_MS)
  timer.unref()
  stream.once('close', () => clearTimeout(timer))
}
