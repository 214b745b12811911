import { createHmac, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import type { SshHop } from '../data-source-route.ts'
import type { DataSourceSecrets } from '../data-source-secrets.ts'
import type { TunnelRequest } from '../ssh-tunnels.ts'
import { openTunnel, type Tunnel, type TunnelOptions } from './open-tunnel.ts'
import { TunnelStages } from './tunnel-stages.ts'

interface PoolOptions extends TunnelOptions {
  /** A tunnel that nobody uses stays open so long. */
  readonly idleMs: number
}

/** States: opening → open ⇄ idle (a timer runs) → gone. Whatever is not in the map any more is gone once its last user left. */
interface PooledTunnel {
  readonly key: string
  readonly stages: TunnelStages
  readonly opening: Promise<Tunnel>
  tunnel: Tunnel | undefined
  users: number
  idleTimer: ReturnType<typeof setTimeout> | undefined
}

/** Whoever opens a tunnel learns more from its failure than that the time is over. */
const OPENING_GRACE_MS = 200

/**
 * Tunnels of one process. Requests with the same SSH servers and the same secrets share one, from its opening on; it is closed when
 * nobody used it for a while, and opened anew by the next request after it was lost. A failure to open is told to those who
 * waited for it, and to nobody after them.
 */
export class TunnelPool {
  readonly #options: PoolOptions
  readonly #byKey = new Map<string, PooledTunnel>()
  /** Secrets are compared by a digest that means nothing outside of this process. */
  readonly #digestKey = randomBytes(32)
  #streams = 0

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Tunnels that are open or being opened. */
  get size(): number {
    return this.#byKey.size
  }

  /** Streams that are open through any tunnel. */
  get streams(): number {
    return this.#streams
  }

  /**
   * A stream to the target of the request, through a shared tunnel.
   * @throws PosternError UPSTREAM_SSH_* | UPSTREAM_NAME_UNKNOWN | UPSTREAM_ADDRESS_REFUSED | UPSTREAM_PORT_CLOSED |
   *   UPSTREAM_TIMED_OUT
   */
  async forward(request: Omit<TunnelRequest, 'signal'>): Promise<Duplex> {
    const deadlineAt = performance.now() + request.timeoutMs
    this.#options.checkRemoteTarget(request.target.host)
    for (;;) {
      const entry = this.#take(request.hops, request.secrets, deadlineAt)
      const wasOpen = entry.tunnel !== undefined
      try {
        return await this.#forwardThrough(entry, request, deadlineAt, wasOpen)
      } catch (thrown) {
        this.#leave(entry)
        // It was lost without our knowing: another one is opened for this request.
        const wasLost = wasOpen && thrown instanceof PosternError && thrown.code === 'UPSTREAM_SSH_CLOSED'
        if (!wasLost || performance.now() >= deadlineAt) throw thrown
      }
    }
  }

  close(): void {
    for (const entry of this.#byKey.values()) {
      clearTimeout(entry.idleTimer)
      this.#byKey.delete(entry.key)
      entry.opening.then(
        (tunnel) => tunnel.close(),
        () => undefined,
      )
    }
  }

  async #forwardThrough(
    entry: PooledTunnel,
    { target, onStage }: Omit<TunnelRequest, 'signal'>,
    deadlineAt: number,
    wasOpen: boolean,
  ): Promise<Duplex> {
    const unfollow = entry.stages.follow(onStage, wasOpen ? { shared: true } : {})
    let tunnel: Tunnel
    try {
      tunnel = await withDeadline(
        entry.opening,
        Math.max(1, deadlineAt - performance.now()) + OPENING_GRACE_MS,
        'UPSTREAM_SSH_UNREACHABLE',
        'the SSH tunnel was not open in time',
      )
    } finally {
      unfollow()
    }
    const askedAt = performance.now()
    let stream: Duplex
    try {
      stream = await tunnel.forward(target, Math.max(1, deadlineAt - askedAt))
    } catch (thrown) {
      const isSilent = tunnel.heardAt() < askedAt
      const code = thrown instanceof PosternError ? thrown.code : undefined
      if (code === 'UPSTREAM_SSH_CLOSED' || (code === 'UPSTREAM_TIMED_OUT' && isSilent)) this.#retire(entry)
      throw thrown
    }
    onStage?.('ssh_forward', { elapsedMs: Math.round((performance.now() - askedAt) * 10) / 10 })
    this.#streams++
    stream.once('close', () => {
      this.#streams--
      this.#leave(entry)
    })
    return stream
  }

  #take(hops: readonly SshHop[], secrets: DataSourceSecrets, deadlineAt: number): PooledTunnel {
    const key = this.#keyOf(hops, secrets)
    const entry = this.#byKey.get(key) ?? this.#open(key, hops, secrets, deadlineAt)
    entry.users++
    clearTimeout(entry.idleTimer)
    return entry
  }

  #open(key: string, hops: readonly SshHop[], secrets: DataSourceSecrets, deadlineAt: number): PooledTunnel {
    const stages = new TunnelStages()
    const opening = openTunnel(hops, secrets, Math.max(1, deadlineAt - performance.now()), stages, this.#options)
    const entry: PooledTunnel = { key, stages, opening, tunnel: undefined, users: 0, idleTimer: undefined }
    this.#byKey.set(key, entry)
    opening.then(
      (tunnel) => {
        entry.tunnel = tunnel
        void tunnel.closed.then(() => this.#retire(entry))
        if (entry.users === 0) this.#closeLater(entry)
      },
      () => this.#retire(entry),
    )
    return entry
  }

  #leave(entry: PooledTunnel): void {
    entry.users--
    if (entry.users === 0 && entry.tunnel !== undefined) this.#closeLater(entry)
  }

  #closeLater(entry: PooledTunnel): void {
    if (this.#byKey.get(entry.key) !== entry) {
      entry.tunnel?.close()
      return
    }
    entry.idleTimer = setTimeout(() => {
      this.#retire(entry)
      entry.tunnel?.close()
    }, this.#options.idleMs)
    entry.idleTimer.unref()
  }

  /** Nobody gets it any more; those who use it go on. */
  #retire(entry: PooledTunnel): void {
    clearTimeout(entry.idleTimer)
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key)
  }

  #keyOf(hops: readonly SshHop[], secrets: DataSourceSecrets): string {
    const own = hops.map((hop, index) => [
      hop.host,
      hop.port,
      hop.username,
      hop.auth,
      hop.hostKey,
      ...(['password', 'privateKey', 'passphrase'] as const).map((field) => secrets[`ssh.${index}.${field}`]?.reveal()),
    ])
    return createHmac('sha256', this.#digestKey).update(JSON.stringify(own)).digest('base64')
  }
}
