import { LoginGrant } from '../access/login-grant.ts'
import { asPosternError } from '../base/errors.ts'
import { addressKey } from '../identity/address-key.ts'
import { AttemptLimit } from '../identity/attempt-limit.ts'
import { auditRecord } from '../audit/audit-record.ts'
import { writeErrorResponse } from '../pgwire/error-response.ts'
import type { ByteListener, TlsIdentity } from '../transport/byte-socket.ts'
import { CancelKeys } from './cancel-keys.ts'
import { CancelPlaces } from './cancel-places.ts'
import type { GatewayContext, GatewayDependencies } from './gateway-context.ts'
import { PasswordAttempts } from './password-attempts.ts'
import { PreAuth } from './pre-auth.ts'
import { RefusedStrangers } from './refused-strangers.ts'
import { Revocations } from './revocations.ts'
import { runSession } from './session.ts'
import { Sessions } from './sessions.ts'

const adminShutdown = writeErrorResponse({
  severity: 'FATAL',
  sqlstate: '57P01',
  message: 'terminating session: the gateway is shutting down',
  hint: 'Connect again.',
})

/** Cancel requests on their way at one time: each costs an upstream socket, and anybody may send one. One address must leave room. */
const cancelPlaces = { total: 64, perAddress: 8 }
/** Of these, questions to the other workers: they must not take the sessions of the store that logins need. */
const broadcastsMax = 2
/** Keys that are not known here, by address: a key of 4 bytes must not be found by trying. */
const unknownKeys = { attempts: 600, windowSeconds: 60, publicMessage: 'Too many cancel requests for unknown keys' }

/** A running gateway worker. */
export interface Gateway {
  readonly port: number
  readonly openSessions: number
  readonly preAuthSockets: number
  /** Sessions that can be cancelled. */
  readonly cancelKeys: number
  setTlsIdentity(identity: TlsIdentity): void
  /** Access was taken away somewhere: ends what is open of it, on the instances that want that. */
  endRevokedSessions(): Promise<void>
  /** A cancellation that another worker was asked for; nothing happens when the session is not ours. */
  cancelHere(fingerprint: string): Promise<void>
  /** Stops listening at once, then waits for the sessions to end, at most so long or until `hurried`, and ends the rest. */
  drain(timeoutMs: number, hurried?: AbortSignal): Promise<void>
}

/**
 * Listens and serves sessions until it is drained.
 * @throws Error with the system's `code` when it cannot listen (`EADDRINUSE` …)
 */
export async function startGateway(deps: GatewayDependencies): Promise<Gateway> {
  const { settings, logger } = deps
  const preAuth = new PreAuth(settings.maxPreAuth)
  const sessions = new Sessions(settings)
  const cancelKeys = new CancelKeys()
  const revocations = new Revocations(deps, () => sessions.revocable())
  const unknown = new AttemptLimit(unknownKeys)
  const cancels = new CancelPlaces(cancelPlaces)
  let broadcasts = 0

  async function cancelHere(fingerprint: string): Promise<boolean> {
    const cancel = cancelKeys.find(fingerprint)
    if (cancel === undefined) return false
    await cancel()
    return true
  }

  async function broadcast(fingerprint: string): Promise<void> {
    if (broadcasts >= broadcastsMax) return
    broadcasts += 1
    try {
      await deps.broadcastCancel(fingerprint)
    } finally {
      broadcasts -= 1
    }
  }

  const context: GatewayContext = {
    ...deps,
    preAuth,
    sessions,
    revocations,
    cancelKeys,
    strangers: new RefusedStrangers(),
    passwordAttempts: new PasswordAttempts(deps.denialFloorMs),
    async cancel(fingerprint, peer) {
      const address = addressKey(peer)
      const leave = cancels.enter(address)
      if (leave === undefined) return
      try {
        await unknown.take(address)
        if (await cancelHere(fingerprint)) await unknown.giveBack(address)
        else await broadcast(fingerprint)
      } catch (thrown) {
        // Whoever is over the limit must not fill the log instead.
        const level = asPosternError(thrown).code === 'RATE_LIMITED' ? 'debug' : 'warn'
        logger[level]({ err: thrown, peer }, 'a cancel request was not passed on')
      } finally {
        leave()
      }
    },
    recordSession(action, session, grant, detail, failure) {
      const { workspaceId, instanceId, instanceName, roleName } = grant.fields
      const principal = LoginGrant.isOne(grant) ? grant.fields : undefined
      const record = auditRecord({
        action,
        outcome: failure === undefined ? 'allowed' : 'failed',
        reason: failure ?? null,
        workspaceId,
        actorId: principal?.principalId ?? null,
        actorName: principal?.principalName ?? null,
        targetType: 'instance',
        targetId: instanceId,
        targetName: instanceName,
        sessionId: session.id,
        peer: session.peer,
        detail: { roleName, ...detail },
      })
      deps.audit.append(record).catch((thrown: unknown) => logger.error({ err: thrown, record }, 'audit record lost'))
    },
  }

  deps.metrics.watch(() => {
    const { fromClients, fromUpstreams } = sessions.relayedBytes()
    return {
      sessions: sessions.size,
      socketsBeforeLogin: preAuth.size,
      bytesFromClients: fromClients,
      bytesFromDatabases: fromUpstreams,
      spoolBytes: deps.audit.spooledBytes,
      setAside: deps.audit.setAside,
    }
  })

  const listener: ByteListener = await deps.transport.listen({
    host: settings.host,
    port: settings.port,
    reusePort: settings.reusePort,
    tls: deps.tls,
    onConnection: (socket) => void runSession(context, socket),
  })

  return {
    port: listener.port,
    get openSessions() {
      return sessions.size
    },
    get preAuthSockets() {
      return preAuth.size
    },
    get cancelKeys() {
      return cancelKeys.size
    },
    setTlsIdentity: (identity) => listener.setTlsIdentity(identity),
    endRevokedSessions: () => revocations.announce(),
    async cancelHere(fingerprint) {
      await cancelHere(fingerprint).catch((thrown: unknown) => logger.warn({ err: thrown }, 'a cancel request failed'))
    },
    async drain(timeoutMs, hurried) {
      listener.stop()
      await sessions.drain(timeoutMs, adminShutdown, hurried)
      revocations.close()
    },
  }
}
