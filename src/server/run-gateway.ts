import { LoginFactsReader } from '../access/login-facts-reader.ts'
import { AuditSpool } from '../audit/audit-spool.ts'
import { AuditWriter } from '../audit/audit-writer.ts'
import { PosternError } from '../base/errors.ts'
import { type Gateway, startGateway } from '../gateway/gateway.ts'
import { principalsChannel } from '../store/principal-changes.ts'
import { GatewayMetrics } from '../telemetry/metrics.ts'
import { type RunningRole, runChild } from './child-main.ts'
import type { ChildBootstrap } from './child-messages.ts'
import { composeShared } from './compose.ts'
import { GatewayDomains } from './gateway-domains.ts'
import { listenUnprivileged } from './listen-unprivileged.ts'
import { loadWhenStoreAnswers } from './load-when-store-answers.ts'

/** Cancel requests that reached a worker which does not have the session; the payload is the key's fingerprint. */
const CANCEL_CHANNEL = 'postern_cancel'
/** A login waits this long for the store before its audit record goes to the spool. */
const AUDIT_DEADLINE_MS = 1_000
const DIAL_TIMEOUT_MS = 10_000

/** `postern gateway`: one worker of the gateway, as a child of `postern serve`. Its working folder is its audit spool. */
export function gateway(): Promise<void> {
  return runChild(startWorker)
}

async function startWorker(bootstrap: ChildBootstrap): Promise<RunningRole> {
  const { config, tls } = bootstrap
  if (!tls) throw new PosternError('INTERNAL', 'The gateway was given no certificate.')
  const shared = await composeShared(bootstrap, 'gateway')
  const { store, logger } = shared
  const domains = new GatewayDomains(store, (error) => {
    logger.warn({ err: error }, 'gateway domains were not refreshed')
  })
  const audit = new AuditWriter({
    store,
    spool: new AuditSpool('.', config.auditSpoolMaxBytes),
    deadlineMs: AUDIT_DEADLINE_MS,
    // Not the record itself: what is in it is what is wrong with it.
    onSetAside: ({ id, action }, refusal) =>
      logger.error({ err: refusal, auditEventId: id, action }, 'the store refuses an audit record: it was set aside'),
  })
  const metrics = new GatewayMetrics(bootstrap.worker)
  const serving: { gateway?: Gateway } = {}
  let stopListening: (() => Promise<void>) | undefined
  let stopFollowing: (() => Promise<void>) | undefined
  const load = async (): Promise<void> => {
    await shared.load()
    await domains.load()
    stopListening ??= await store.listen(CANCEL_CHANNEL, (fingerprint) => void serving.gateway?.cancelHere(fingerprint))
    const endRevoked = (): void => void serving.gateway?.endRevokedSessions()
    stopFollowing ??= await store.listen(principalsChannel, endRevoked, endRevoked)
  }
  const loading = await loadWhenStoreAnswers(load, logger, (thrown) => {
    logger.fatal({ err: thrown }, 'could not be started')
    // The supervisor starts another one.
    process.exit(1)
  })
  const start = (): Promise<Gateway> =>
    startGateway({
      ...shared,
      isLoaded: () => loading.isDone,
      metrics,
      audit,
      facts: new LoginFactsReader({
        pool: store.pool,
        clock: shared.clock,
        deadlineMs: config.loginStoreDeadlineMs,
        rememberSeconds: config.loginCacheSeconds,
      }),
      denialFloorMs: config.loginDenialFloorMs,
      transport: shared.dialer.transport,
      dialOptions: { ...shared.dialer, secrets: {}, timeoutMs: DIAL_TIMEOUT_MS },
      tls,
      findWorkspaceByDomain: (domain) => domains.find(domain),
      broadcastCancel: (fingerprint) => store.notify(CANCEL_CHANNEL, fingerprint),
      settings: {
        host: config.gatewayHost,
        port: config.gatewayPort,
        // Alone on the port a worker takes it for itself: a second listener would then be an error, not half of the logins.
        reusePort: config.gatewayWorkers > 1,
        loginTimeoutMs: config.loginTimeoutSeconds * 1000,
        maxPreAuth: config.gatewayMaxPreAuth,
        maxSessions: config.gatewayMaxSessions,
        maxSessionsPerPrincipal: config.gatewayMaxSessionsPerPrincipal,
        peerSocketRoot: bootstrap.socketRoot,
      },
    })
  const running = await listenUnprivileged(bootstrap, { host: config.gatewayHost, port: config.gatewayPort }, start)
  serving.gateway = running
  return {
    port: running.port,
    metrics,
    setMasterKeys: shared.setMasterKeys,
    setTlsIdentity: (identity) => running.setTlsIdentity(identity),
    async drain(timeoutMs, hurried) {
      loading.stop()
      await running.drain(timeoutMs, hurried)
      // Before anything that a store which hangs could hold up: these records are of what has already happened.
      await audit.close()
      await stopListening?.()
      await stopFollowing?.()
      domains.close()
      await shared.close()
    },
  }
}
