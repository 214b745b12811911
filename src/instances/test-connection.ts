import { asPosternError, type ErrorCode, type PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { ConnectionReport } from '../contract/instances.ts'
import { isUnixRoute, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import type { EngineSession } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'

type StageName = ConnectionReport['stages'][number]['stage']

/** What a good test brought to light, for storing it. */
export interface TestedUpstream {
  readonly serverVersion: string
  readonly systemIdentifier: string | null
}

/** The report for the caller; `upstream` is present exactly when it is good, `failure` when it is not. */
export type ConnectionTest =
  | { readonly report: ConnectionReport; readonly upstream: TestedUpstream }
  | { readonly report: ConnectionReport; readonly failure: PosternError }

const TEST_TIMEOUT_MS = 15_000

/**
 * Walks the whole way to a database stage by stage: name, TCP, TLS, login, version, privileges. It stops at the first failure,
 * which is explained with its code and what to do.
 *
 * @param password sent only where the route's own rules allow: by SCRAM, or over verified TLS
 * @throws PosternError INVALID_ARGUMENT when the route itself makes no sense; a failed stage is a value, not an exception
 */
export async function testConnection(
  deps: { readonly dialer: DialerDependencies },
  route: DataSourceRoute,
  password: Secret,
): Promise<ConnectionTest> {
  const engine = await loadEngine(route.engine)
  engine.checkRoute(route)
  const stages = new StageLog(stagesOf(route))
  let session: EngineSession | undefined
  try {
    session = await engine.open(route, {
      dialer: deps.dialer,
      secrets: { password },
      purpose: 'admin',
      timeoutMs: TEST_TIMEOUT_MS,
      onStage: (stage) => stages.passed(stage),
    })
    const { serverVersion } = session
    stages.passed('version')
    const { systemIdentifier, missingPrivileges } = await session.checkPrivileges()
    stages.passed('privileges')
    return {
      report: { ok: true, stages: stages.entries, serverVersion, missingPrivileges: [...missingPrivileges] },
      upstream: { serverVersion, systemIdentifier },
    }
  } catch (thrown) {
    const failure = asPosternError(thrown)
    if (failure.code === 'INTERNAL') throw thrown
    stages.failed(failure)
    return {
      report: {
        ok: false,
        stages: stages.entries,
        missingPrivileges: [],
        ...(session && { serverVersion: session.serverVersion }),
      },
      failure,
    }
  } finally {
    await session?.close()
  }
}

function stagesOf(route: DataSourceRoute): readonly StageName[] {
  const usesTls = !isUnixRoute(route) && route.tlsMode !== 'disable'
  return ['name', 'tcp', ...(usesTls ? (['tls'] as const) : []), 'login', 'version', 'privileges']
}

/** The stages that ran, each with the time since the one before. */
class StageLog {
  readonly entries: ConnectionReport['stages'] = []
  readonly #expected: readonly StageName[]
  #startedAt = performance.now()

  constructor(expected: readonly StageName[]) {
    this.#expected = expected
  }

  passed(stage: StageName): void {
    this.entries.push({ stage, ok: true, elapsedMs: this.#lap() })
  }

  failed(failure: PosternError): void {
    const stage = this.#expected[this.entries.length] ?? 'privileges'
    const code: ErrorCode = failure.code
    const action = failure.hint ?? failure.row.action
    this.entries.push({ stage, ok: false, elapsedMs: this.#lap(), code, message: failure.message, action })
  }

  #lap(): number {
    const now = performance.now()
    const elapsedMs = Math.round((now - this.#startedAt) * 10) / 10
    this.#startedAt = now
    return elapsedMs
  }
}
