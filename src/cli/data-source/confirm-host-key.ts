import type { ConnectionReport } from '../../contract/connection-reports.ts'
import { CliError } from '../cli-error.ts'
import { confirm } from '../prompt.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import type { DataSourceBody } from './read-data-source.ts'

/** A host key that nobody has confirmed yet. */
export interface UnknownHostKey {
  readonly host: string
  readonly port: number
  readonly hostKey: string
  readonly algorithm: string
}

const MOST_SERVERS = 5

/**
 * Sends a request and, each time an SSH server with an unknown host key is met, asks whether it is the right one and sends the
 * request again with the confirmed fingerprint. Nothing secret was sent to that server before.
 *
 * @param unknownIn the unknown host key that an answer tells of, for answers that are reports
 * @throws CliError caller when nobody can be asked: a host key is never trusted in silence
 */
export async function withHostKeys<T>(
  terminal: Terminal,
  bodies: readonly DataSourceBody[],
  send: () => Promise<T>,
  unknownIn: (answer: T) => UnknownHostKey | undefined = () => undefined,
): Promise<T> {
  for (let asked = 0; ; asked++) {
    const [answer, unknown, failure] = await attempt(send, unknownIn)
    if (unknown === undefined || asked === MOST_SERVERS || !isOurs(bodies, unknown)) {
      if (failure !== undefined) throw failure as Error
      return answer as T
    }
    await askFor(terminal, unknown)
    for (const body of bodies) pinHostKey(body, unknown)
  }
}

async function attempt<T>(
  send: () => Promise<T>,
  unknownIn: (answer: T) => UnknownHostKey | undefined,
): Promise<readonly [T | undefined, UnknownHostKey | undefined, unknown]> {
  try {
    const answer = await send()
    return [answer, unknownIn(answer), undefined]
  } catch (thrown) {
    return [undefined, thrown instanceof CliError ? thrown.problem?.sshHostKey : undefined, thrown]
  }
}

/** The unknown host key that a report stopped at. */
export function unknownHostKey(report: ConnectionReport): UnknownHostKey | undefined {
  const reports = [report, ...(report.readOnlyDataSources ?? [])]
  const detail = reports
    .flatMap(({ stages }) => stages)
    .find(({ code }) => code === 'UPSTREAM_SSH_HOST_KEY_UNKNOWN')?.detail
  if (detail === undefined) return undefined
  const { host, port, hostKey, algorithm } = detail
  if (typeof host !== 'string' || typeof port !== 'number' || typeof hostKey !== 'string') return undefined
  return { host, port, hostKey, algorithm: typeof algorithm === 'string' ? algorithm : 'host' }
}

async function askFor(terminal: Terminal, { host, port, hostKey, algorithm }: UnknownHostKey): Promise<void> {
  const where = `${printable(host)}:${port}`
  if (!terminal.isInteractive) {
    throw new CliError('caller', `the SSH server ${where} is not known yet: its host key is ${printable(hostKey)}`, {
      code: 'UPSTREAM_SSH_HOST_KEY_UNKNOWN',
      hint: `Compare it with the fingerprint on that server (ssh-keygen -l), then give --host-key ${printable(hostKey)}.`,
    })
  }
  terminal.note(`The SSH server ${where} is not known yet. Its ${printable(algorithm)} key has the fingerprint`)
  terminal.note(`  ${printable(hostKey)}`)
  await confirm(terminal, 'Is that the right one?', 'Give it with --host-key.')
}

function isOurs(bodies: readonly DataSourceBody[], { host, port }: UnknownHostKey): boolean {
  return bodies.some(({ ssh }) => ssh?.some((hop) => hop.host === host && hop.port === port && !hop.hostKey))
}

function pinHostKey(body: DataSourceBody, { host, port, hostKey }: UnknownHostKey): void {
  for (const hop of body.ssh ?? []) {
    if (hop.host === host && hop.port === port && !hop.hostKey) hop.hostKey = hostKey
  }
}
