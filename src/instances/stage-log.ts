import type { DataSourceLogin } from '../access/data-source-login.ts'
import type { ErrorCode, PosternError } from '../base/errors.ts'
import type { ConnectionStage } from '../contract/connection-reports.ts'
import type { ExternalSecretField } from '../contract/data-sources.ts'
import { isUnixRoute, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { StageDetail } from '../engines/engine.ts'

type StageName = ConnectionStage['stage']

const SSH_STAGES = ['ssh_handshake', 'ssh_host_key', 'ssh_login', 'ssh_forward'] as const

/** Where a failure belongs that says so itself; any other one belongs to the stage after the last good one. */
const STAGE_OF: Readonly<Partial<Record<ErrorCode, StageName>>> = {
  SECRET_UNREADABLE: 'secret',
  SECRET_SOURCE_UNAVAILABLE: 'secret',
  SECRET_SOURCE_DENIED: 'secret',
  SECRET_SOURCE_NOT_FOUND: 'secret',
  SECRET_SOURCE_INVALID: 'secret',
  SECRET_SOURCE_REFUSED: 'secret',
  UPSTREAM_SSH_PROTOCOL: 'ssh_handshake',
  UPSTREAM_SSH_HOST_KEY_UNKNOWN: 'ssh_host_key',
  UPSTREAM_SSH_HOST_KEY_CHANGED: 'ssh_host_key',
  UPSTREAM_SSH_AUTH_FAILED: 'ssh_login',
  UPSTREAM_SSH_KEY_UNREADABLE: 'ssh_login',
  UPSTREAM_SSH_FORWARD_REFUSED: 'ssh_forward',
  UPSTREAM_AUTH_FAILED: 'login',
  UPSTREAM_AUTH_UNSAFE: 'login',
  DATABASE_NOT_FOUND: 'login',
}

/** The stages of a connection test that ran, each with the time since the one before. */
export class StageLog {
  readonly entries: ConnectionStage[] = []
  readonly #expected: readonly StageName[]
  readonly #tell: (stage: ConnectionStage) => void
  #startedAt = performance.now()

  constructor(route: DataSourceRoute, tell: (stage: ConnectionStage) => void) {
    this.#expected = stagesOf(route)
    this.#tell = tell
  }

  passed(stage: StageName, detail?: StageDetail): void {
    this.#add({ stage, ok: true, elapsedMs: this.#lap(), ...(detail && { detail: copyOf(detail) }) })
  }

  /** The first stage, with how those secrets were found that live elsewhere. */
  foundSecrets({ route, found, cloudLogin }: Omit<DataSourceLogin, 'secrets'>): void {
    const secrets = [...found].map(([field, { host, origin, version, elapsedMs }]) => ({
      field: field as ExternalSecretField,
      source: String(route.secretReferences[field]?.['source']),
      host,
      origin,
      version,
      elapsedMs: Math.round(elapsedMs * 10) / 10,
    }))
    this.#add({
      stage: 'secret',
      ok: true,
      elapsedMs: this.#lap(),
      ...(secrets.length > 0 && { secrets }),
      ...(cloudLogin && { detail: { token: cloudLogin.description, origin: cloudLogin.origin } }),
    })
  }

  failed(failure: PosternError, action: string): void {
    const stage = STAGE_OF[failure.code] ?? this.#next()
    this.#add({
      stage,
      ok: false,
      elapsedMs: this.#lap(),
      code: failure.code,
      message: failure.message,
      action,
      ...(failure.code === 'UPSTREAM_SSH_HOST_KEY_UNKNOWN' && failure.detail && { detail: hostKeyOf(failure.detail) }),
    })
  }

  #next(): StageName {
    const last = this.entries.at(-1)
    const index = last === undefined ? 0 : this.#expected.indexOf(last.stage) + 1
    return this.#expected[index] ?? 'privileges'
  }

  #add(stage: ConnectionStage): void {
    this.entries.push(stage)
    this.#tell(stage)
  }

  #lap(): number {
    const now = performance.now()
    const elapsedMs = Math.round((now - this.#startedAt) * 10) / 10
    this.#startedAt = now
    return elapsedMs
  }
}

function stagesOf(route: DataSourceRoute): readonly StageName[] {
  const usesTls = !isUnixRoute(route) && route.tlsMode !== 'disable'
  const ssh = route.ssh.length > 0 ? SSH_STAGES : []
  return ['secret', 'name', 'tcp', ...ssh, ...(usesTls ? (['tls'] as const) : []), 'login', 'version', 'privileges']
}

function copyOf(detail: StageDetail): NonNullable<ConnectionStage['detail']> {
  return Object.fromEntries(
    Object.entries(detail).map(([name, value]) => [name, Array.isArray(value) ? [...(value as string[])] : value]),
  ) as NonNullable<ConnectionStage['detail']>
}

/** What the caller needs to confirm a host key. */
function hostKeyOf(detail: Readonly<Record<string, unknown>>): NonNullable<ConnectionStage['detail']> {
  return Object.fromEntries(
    Object.entries(detail).filter(
      (entry): entry is [string, string | number] =>
        ['host', 'port', 'hostKey', 'algorithm'].includes(entry[0]) &&
        (typeof entry[1] === 'string' || typeof entry[1] === 'number'),
    ),
  )
}
