import { asPosternError, PosternError } from '../base/errors.ts'
import { createLogger } from '../telemetry/logger.ts'
import type { ProcessMetrics } from '../telemetry/metrics.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'
import type { CommonBootstrap, MasterKeysMessage, MessageFromChild, MessageToChild } from './child-messages.ts'

/** A role that accepts connections. */
export interface RunningRole {
  readonly port: number
  /**
   * Stops accepting at once; resolves when the open work is done or the time is over.
   * @param hurried aborted when the time is over earlier than was said
   */
  drain(timeoutMs: number, hurried: AbortSignal): Promise<void>
  setTlsIdentity?(identity: TlsIdentity): void
  setGatewayCa?(pem: string): void
  /** Absent where there are no secrets to open. */
  setMasterKeys?(keys: Pick<MasterKeysMessage, 'current' | 'others'>): void
  /** Absent where nothing is measured. */
  readonly metrics?: ProcessMetrics
  /** What else the supervisor says. */
  receive?(message: MessageToChild): void
}

/** After draining, time for closing files and sessions before the process ends regardless; the supervisor kills it a second later. */
const GRACE_MS = 4_000

/**
 * The life of a child process: waits for its bootstrap, starts its role, answers `ready`, and drains when the supervisor
 * says so or is gone. A supervisor that is killed cannot say anything, so its end of the channel closing is enough: the
 * listener closes at once, and a new supervisor finds the port free.
 */
export async function runChild<Bootstrap extends CommonBootstrap>(
  start: (bootstrap: Bootstrap) => Promise<RunningRole>,
): Promise<void> {
  if (!process.send) {
    throw new PosternError('CONFIG_INVALID', 'This command is started by `postern serve`, which hands it its keys.', {
      hint: 'Run postern serve.',
    })
  }
  const bootstrap = await nextBootstrap<Bootstrap>()
  let role: RunningRole | undefined
  let endsAt = Infinity
  const hurried = new AbortController()
  const exit = (): never => process.exit(0)
  /** Called again, it can only bring the end nearer. */
  const end = (timeoutMs: number): void => {
    const isEnding = endsAt < Infinity
    if (Date.now() + timeoutMs >= endsAt) return
    endsAt = Date.now() + timeoutMs
    setTimeout(exit, timeoutMs + GRACE_MS)
    if (!role) return exit()
    if (!isEnding) role.drain(timeoutMs, hurried.signal).then(exit, exit)
    else setTimeout(() => hurried.abort(), timeoutMs)
  }
  const defaultDrainMs = bootstrap.config.drainTimeoutSeconds * 1000
  process.on('disconnect', () => end(defaultDrainMs))
  process.on('message', (message: MessageToChild) => {
    if (message.type === 'drain') end(message.timeoutMs)
    else if (message.type === 'tls') {
      if (message.identity !== undefined) role?.setTlsIdentity?.(message.identity)
      role?.setGatewayCa?.(message.gatewayCaPem)
    } else if (message.type === 'master-keys') {
      role?.setMasterKeys?.(message)
      send({ type: 'master-keys-known', id: message.id })
    } else if (message.type === 'figures-asked') {
      const { id } = message
      role?.metrics?.figures().then(
        (figures) => send({ type: 'figures', id, figures }),
        () => undefined,
      )
    } else role?.receive?.(message)
  })
  // A signal meant for the whole group; the supervisor decides when its children end, and tells them.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => end(defaultDrainMs))
  try {
    role = await start(bootstrap)
  } catch (thrown) {
    const { code, message, hint } = asPosternError(thrown)
    if (code === 'INTERNAL') {
      createLogger({ level: 'error', role: 'child' }).error({ err: thrown }, 'could not be started')
    }
    send({ type: 'failed', code, message, hint })
    // The message is on its way through the channel; exit would cut it off.
    setTimeout(() => process.exit(1), 100)
    return
  }
  if (endsAt < Infinity) return
  send({ type: 'ready', port: role.port })
}

/** The supervisor sends each role its own kind. */
function nextBootstrap<Bootstrap extends CommonBootstrap>(): Promise<Bootstrap> {
  return new Promise((resolve) => {
    // Until there is work to drain: from then on a disconnect must not end the process at once.
    const onDisconnect = (): never => process.exit(0)
    const onMessage = (message: MessageToChild): void => {
      if (message.type !== 'bootstrap') return
      process.off('message', onMessage)
      process.off('disconnect', onDisconnect)
      resolve(message as unknown as Bootstrap)
    }
    process.on('message', onMessage)
    process.on('disconnect', onDisconnect)
    send({ type: 'loaded' })
  })
}

function send(message: MessageFromChild): void {
  process.send?.(message)
}
