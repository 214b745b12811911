import { LoginGrant } from '../access/login-grant.ts'
import type { NativeGrant } from '../access/native-grant.ts'
import { cancelUpstream } from '../access/upstream/cancel-upstream.ts'
import { connectUpstream, UpstreamRefusal, type UpstreamSession } from '../access/upstream/connect-upstream.ts'
import { type LoginChannel, PeerGone } from '../access/upstream/login-channel.ts'
import { type AuditReason, auditReason } from '../audit/audit-record.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import { newUuid, type SessionId } from '../base/ids.ts'
import { writeAuthenticationOk } from '../pgwire/authentication-request.ts'
import { writeBackendKeyData } from '../pgwire/backend-messages.ts'
import { LATEST_PROTOCOL_MINOR } from '../pgwire/codes.ts'
import type { AcceptedSocket } from '../transport/byte-socket.ts'
import { fingerprintOf } from './cancel-keys.ts'
import { errorResponse } from './error-response.ts'
import type { GatewayContext } from './gateway-context.ts'
import { login } from './login.ts'
import { negotiate, type TlsStartup, UnansweredViolation } from './negotiate.ts'
import { Relay } from './relay.ts'
import { type LoginTarget, resolveTarget } from './resolve-target.ts'
import type { LoginOutcome } from './verdict.ts'
import type { SessionPlace } from './sessions.ts'

/**
 * One client of the gateway, from its first byte to the relay:
 *
 *   negotiate → resolve target → login (verify, authorize, audit) → connect upstream → relay
 *
 * Each step hands over a type that proves it happened. Whatever fails on the way is answered in one place, here.
 */
export async function runSession(gateway: GatewayContext, socket: AcceptedSocket): Promise<void> {
  const session = { id: newUuid<SessionId>(), peer: socket.remoteAddress }
  const leave = gateway.preAuth.enter(socket)
  const channels: LoginChannel[] = []
  let timeout: PosternError | undefined
  const onChannel = (channel: LoginChannel) => {
    channels.push(channel)
    // An upstream that was reached only now would be waited for without an end.
    if (timeout !== undefined) channel.fail(timeout)
  }
  const timer = setTimeout(() => {
    timeout = new PosternError('LOGIN_TIMEOUT', 'the login was not finished in time')
    for (const channel of channels) channel.fail(timeout)
    if (channels.length <= 1) socket.destroy()
  }, gateway.settings.loginTimeoutMs)
  let client: TlsStartup | undefined
  let startedAt = 0
  try {
    const asked = await negotiate(socket, onChannel)
    if (asked.kind === 'cancel') {
      await gateway.cancel(fingerprintOf(asked.request), session.peer)
      asked.channel.socket.destroy()
      return
    }
    client = asked
    startedAt = performance.now()
    gateway.sessions.requireRoom()
    if (!gateway.isLoaded()) throw notLoaded()
    const target = resolveTarget(client, gateway.findWorkspaceByDomain)
    const announced = gateway.revocations.announced
    const outcome = await login(gateway, client.channel, client.startup, target, session, onChannel)
    if (!outcome.allowed) throw outcome.refusal
    await openSession(gateway, session, client, target, outcome, onChannel)
    if (gateway.revocations.announced !== announced) void gateway.revocations.check()
    gateway.metrics.loginEnded('allowed', performance.now() - startedAt)
  } catch (thrown) {
    if (client !== undefined)
      gateway.metrics.loginEnded(isDenial(thrown) ? 'denied' : 'failed', performance.now() - startedAt)
    refuse(gateway, session, client?.channel ?? channels.at(-1), socket, thrown)
  } finally {
    clearTimeout(timer)
    leave()
  }
}

function isDenial(thrown: unknown): boolean {
  return thrown instanceof PosternError && (thrown.row.kind === 'denied' || thrown.row.kind === 'caller')
}

/** A worker that starts while the store is away knows neither keys nor memberships (design section 5a). */
function notLoaded(): PosternError {
  return new PosternError('STORE_UNAVAILABLE', 'the gateway has just started and the metadata store does not answer')
}

/** An allowed login that comes to nothing leaves its trace too: a bound role that drifted must not go unnoticed. */
async function openSession(
  gateway: GatewayContext,
  session: { id: SessionId; peer: string },
  client: TlsStartup,
  target: LoginTarget,
  { grant, upstream: opened }: LoginOutcome & { readonly allowed: true },
  onChannel: (channel: LoginChannel) => void,
): Promise<void> {
  let place: SessionPlace | undefined
  try {
    place = gateway.sessions.takePlace(holderOf(grant))
    const upstream = LoginGrant.isOne(grant) ? await connectUpstream(gateway, grant, target, onChannel) : opened
    if (upstream === undefined) throw new PosternError('INTERNAL', 'a login by password has no session at the database')
    startRelay(gateway, session, client, upstream, place)
  } catch (thrown) {
    place?.leave()
    opened?.channel.socket.destroy()
    gateway.recordSession('session.start', session, grant, {}, reasonOf(thrown))
    throw thrown
  }
}

/** A role with a password has no principal: its sessions count for itself. */
function holderOf(grant: LoginGrant | NativeGrant): string {
  const { instanceId, roleName } = grant.fields
  return LoginGrant.isOne(grant) ? grant.fields.principalId : `${instanceId}/${roleName}`
}

function reasonOf(thrown: unknown): AuditReason {
  if (thrown instanceof UpstreamRefusal) return auditReason(`sqlstate ${thrown.sqlstate}`)
  return thrown instanceof PeerGone ? 'CLIENT_GONE' : asPosternError(thrown).code
}

/** The one place that writes an ErrorResponse during a login. */
function refuse(
  gateway: GatewayContext,
  session: { id: SessionId; peer: string },
  channel: LoginChannel | undefined,
  socket: AcceptedSocket,
  thrown: unknown,
): void {
  const log = gateway.logger.child({ sessionId: session.id, peer: session.peer })
  if (thrown instanceof PeerGone || thrown instanceof UnansweredViolation || channel === undefined) {
    log.debug({ reason: thrown instanceof Error ? thrown.message : 'closed' }, 'login ended without an answer')
    channel?.socket.destroy()
    socket.destroy()
    return
  }
  if (thrown instanceof UpstreamRefusal) log.info({ sqlstate: thrown.sqlstate }, 'login refused by the upstream')
  else if (thrown instanceof PosternError && thrown.row.kind !== 'internal') {
    log.info({ code: thrown.code, reason: thrown.message, ...thrown.detail }, 'login refused')
  } else log.error({ err: thrown }, 'login failed')
  channel.write(thrown instanceof UpstreamRefusal ? thrown.errorResponse : errorResponse(thrown, session.id))
  channel.finish()
}

/** The relay is not told of what happened before it. */
function requireBothSides(client: LoginChannel, upstream: LoginChannel): void {
  try {
    client.requireIntact()
  } catch (thrown) {
    upstream.socket.destroy()
    throw thrown
  }
  try {
    upstream.requireIntact()
  } catch (cause) {
    upstream.socket.destroy()
    throw new PosternError('UPSTREAM_UNREACHABLE', 'the database closed the socket during the login', { cause })
  }
}

function startRelay(
  gateway: GatewayContext,
  session: { id: SessionId; peer: string },
  client: TlsStartup,
  upstream: UpstreamSession,
  place: SessionPlace,
): void {
  requireBothSides(client.channel, upstream.channel)
  const { backendKey, grant } = upstream
  const minor = Math.min(client.startup.minor, LATEST_PROTOCOL_MINOR)
  const cancel = async (): Promise<void> => {
    if (backendKey !== undefined) await cancelUpstream(grant, backendKey, gateway.dialOptions, gateway.masterKey)
  }
  const cancelKey = backendKey && gateway.cancelKeys.issue(backendKey.pid, minor, cancel)
  const clientRest = client.channel.release()
  const upstreamRest = upstream.channel.release()
  const greeting = [
    clientRest.unsent,
    writeAuthenticationOk(),
    ...upstream.greeting,
    ...(cancelKey ? [writeBackendKeyData(cancelKey.key)] : []),
    upstream.readyForQuery,
    upstreamRest.unread,
  ]
  const start = {
    toClient: Buffer.concat(greeting),
    toUpstream: Buffer.concat([upstreamRest.unsent, clientRest.unread]),
  }
  const upstreamPid = backendKey?.pid ?? 0
  const startedAt = performance.now()
  const relay = new Relay(client.channel.socket, upstream.channel.socket, start, () => {
    cancelKey?.revoke()
    place.leave()
    gateway.recordSession('session.end', session, grant, {
      upstreamPid,
      durationMs: Math.round(performance.now() - startedAt),
      bytesFromClient: relay.bytesFromClient,
      bytesFromUpstream: relay.bytesFromUpstream,
    })
  })
  place.enter(relay, LoginGrant.isOne(grant) ? { grant, session, upstreamPid, cancel } : undefined)
  gateway.recordSession('session.start', session, grant, {
    upstreamPid,
    applicationName: client.startup.parameters.get('application_name') ?? '',
  })
}
