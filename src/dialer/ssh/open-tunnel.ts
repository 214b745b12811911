import type { Duplex } from 'node:stream'
import { PosternError } from '../../base/errors.ts'
import type { SshHop } from '../data-source-route.ts'
import type { DataSourceSecrets } from '../data-source-secrets.ts'
import type { TunnelRequest } from '../ssh-tunnels.ts'
import { forward } from './forward.ts'
import { HopLogin } from './hop-login.ts'
import type { KeepAlive, OpenHop } from './open-hop.ts'
import { openPinnedHop } from './open-pinned-hop.ts'
import type { TunnelStages } from './tunnel-stages.ts'

/** What opening a tunnel needs. */
export interface TunnelOptions {
  /** Opens the TCP connection to the first SSH server, by the rules of the dialer. */
  readonly dialFirstHop: (
    hop: SshHop,
    who: string,
    timeoutMs: number,
    onStage: (stage: 'name' | 'tcp') => void,
  ) => Promise<Duplex>
  /** @throws PosternError UPSTREAM_ADDRESS_REFUSED for an address that an SSH server must not be asked to dial */
  readonly checkRemoteTarget: (host: string) => void
  readonly keepAlive: KeepAlive
}

/** A login at the last SSH server of a way, through all those before it. */
export interface Tunnel {
  /** @throws PosternError as {@link forward} says */
  forward(target: TunnelRequest['target'], timeoutMs: number): Promise<Duplex>
  /** Settles when it is gone, with why. Never rejects. */
  readonly closed: Promise<PosternError>
  /** `performance.now()` of the last bytes that came from the last server. */
  readonly heardAt: () => number
  close(): void
}

interface Step {
  readonly hop: SshHop
  /** As sentences name it. Its host name is for those who may see the data source. */
  readonly who: string
  readonly login: HopLogin
}

/**
 * Opens the way through SSH servers: each is dialled from the one before. All keys are read first, so that one which cannot be
 * read opens no socket. The stages are those of the last server, or of the one that failed.
 *
 * @throws PosternError UPSTREAM_SSH_* | UPSTREAM_NAME_UNKNOWN | UPSTREAM_ADDRESS_REFUSED; nothing stays open then
 */
export async function openTunnel(
  hops: readonly SshHop[],
  secrets: DataSourceSecrets,
  timeoutMs: number,
  stages: TunnelStages,
  options: TunnelOptions,
): Promise<Tunnel> {
  const deadlineAt = performance.now() + timeoutMs
  const leftMs = (): number => Math.max(1, deadlineAt - performance.now())
  const steps = hops.map((hop, index): Step => {
    const who = hops.length === 1 ? 'the SSH server' : `SSH server ${index + 1} of ${hops.length}`
    if (index > 0) options.checkRemoteTarget(hop.host)
    return { hop, who, login: new HopLogin(hop, index, secrets, who) }
  })
  const open: { readonly step: Step; readonly hop: OpenHop }[] = []
  const close = (): void => {
    for (const { hop } of open.toReversed()) hop.close()
  }
  try {
    for (const step of steps) {
      const { hop, who } = step
      const before = open.at(-1)
      const dial = (): Promise<Duplex> =>
        before === undefined
          ? options.dialFirstHop(hop, who, leftMs(), (stage) => stages.pass(stage))
          : forwardToHop(before.hop, before.step.who, step, leftMs())
      const isLast = open.length === hops.length - 1
      open.push({ step, hop: await openStep(step, dial, leftMs, options.keepAlive, stages, isLast) })
    }
  } catch (thrown) {
    close()
    throw thrown
  }
  const last = open.at(-1)!
  void last.hop.closed.then(close)
  return {
    forward: (target, limitMs) => forward(last.hop.client, { ...target, what: 'the database' }, limitMs, last.step.who),
    closed: last.hop.closed,
    heardAt: last.hop.heardAt,
    close,
  }
}

async function openStep(
  { hop, who, login }: Step,
  dial: () => Promise<Duplex>,
  leftMs: () => number,
  keepAlive: KeepAlive,
  stages: TunnelStages,
  isLast: boolean,
): Promise<OpenHop> {
  const held: Parameters<TunnelStages['pass']>[] = []
  const onStage = (...passed: Parameters<TunnelStages['pass']>): void => {
    if (isLast) stages.pass(...passed)
    else held.push(passed)
  }
  try {
    return await openPinnedHop({ hop, who, login, dial, leftMs, keepAlive, onStage })
  } catch (thrown) {
    for (const passed of held) stages.pass(...passed)
    if (isAboutHostKey(thrown)) stages.pass('ssh_handshake')
    throw thrown
  }
}

function isAboutHostKey(thrown: unknown): boolean {
  if (!(thrown instanceof PosternError)) return false
  return thrown.code === 'UPSTREAM_SSH_HOST_KEY_UNKNOWN' || thrown.code === 'UPSTREAM_SSH_HOST_KEY_CHANGED'
}

/** To the next SSH server: that its port is closed is no closed port of a database. */
async function forwardToHop(before: OpenHop, previous: string, next: Step, timeoutMs: number): Promise<Duplex> {
  const { host, port } = next.hop
  try {
    return await forward(before.client, { host, port, what: next.who }, timeoutMs, previous)
  } catch (thrown) {
    if (!(thrown instanceof PosternError)) throw thrown
    if (thrown.code !== 'UPSTREAM_PORT_CLOSED' && thrown.code !== 'UPSTREAM_TIMED_OUT') throw thrown
    const { message, hint, detail, cause } = thrown
    throw new PosternError('UPSTREAM_SSH_UNREACHABLE', message, { hint, detail, cause })
  }
}
