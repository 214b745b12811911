import { withLogin } from '../access/data-source-login.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { ConnectionReport, ConnectionStage } from '../contract/connection-reports.ts'
import type { ManageMode } from '../contract/engines.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { tlsWarnings } from '../dialer/describe-tls-peer.ts'
import { explainByListener } from '../dialer/explain-by-listener.ts'
import type { EngineSession, PrivilegeReport, SessionPurpose } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'
import { failureAction } from './failure-action.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { namingAddress } from './naming-address.ts'
import { StageLog } from './stage-log.ts'

/** What is to be tested. */
export interface TestSubject {
  /** Name of the data source, for the report. */
  readonly name: string
  readonly route: DataSourceRoute
  readonly purpose: SessionPurpose
  /** Of its instance; null where there is none to choose. */
  readonly manageMode?: ManageMode | null
  /** First stage of the test. One that lives elsewhere is its reference, in JSON. */
  openSecrets(): Promise<DataSourceSecrets>
}

export interface TestOptions {
  /** Told of each stage as it is done. */
  readonly onStage?: ((dataSource: string, stage: ConnectionStage) => void) | undefined
  /** Ends the test: CANCELLED. */
  readonly signal?: AbortSignal | undefined
}

/** What a good test brought to light, for storing it. */
export interface TestedUpstream {
  readonly serverVersion: string
  readonly systemIdentifier: string | null
  readonly replicaLagSeconds: number | null
}

/** The report for the caller; `upstream` is present exactly when it is good, `failure` when it is not. */
export type ConnectionTest =
  | { readonly report: ConnectionReport; readonly upstream: TestedUpstream }
  | { readonly report: ConnectionReport; readonly failure: PosternError }

const TEST_TIMEOUT_MS = 15_000

/**
 * Walks the whole way to a database stage by stage: secret, name, TCP, SSH, TLS, login, version, privileges. It stops at the
 * first failure, which is explained with its code and what to do.
 *
 * @throws PosternError CANCELLED; a failed stage is a value, not an exception
 */
export async function testConnection(
  deps: InstanceDependencies,
  subject: TestSubject,
  { onStage, signal }: TestOptions = {},
): Promise<ConnectionTest> {
  const { name, route, purpose } = subject
  const stages = new StageLog(route, (stage) => onStage?.(name, stage))
  const base = {
    dataSource: name,
    stages: stages.entries,
    privileges: [],
    missingPrivileges: [],
    warnings: [],
    seenAddress: null,
    addressesToAllow: [...deps.egressAddresses],
  }
  const warnings: string[] = []
  let secrets: DataSourceSecrets = {}
  let session: EngineSession | undefined
  try {
    signal?.throwIfAborted()
    const engine = await loadEngine(route.engine)
    // The stages of an attempt with a secret that had been exchanged meanwhile stay in the report, before those of the next.
    session = await withLogin(deps.dialer, route, await subject.openSecrets(), (login) => {
      stages.foundSecrets(login)
      secrets = login.secrets
      warnings.length = 0
      return engine.open(login.route, {
        dialer: deps.dialer,
        secrets,
        purpose,
        manageMode: subject.manageMode ?? undefined,
        timeoutMs: TEST_TIMEOUT_MS,
        ...(signal && { signal }),
        onStage: (stage, detail) => {
          if (stage === 'tls' && detail !== undefined) warnings.push(...tlsWarnings(detail))
          stages.passed(stage, detail)
        },
      })
    })
    const { serverVersion } = session
    stages.passed('version')
    const found = await session.checkPrivileges()
    stages.passed('privileges')
    return {
      report: { ...base, ...privilegesOf(found), ok: true, serverVersion, warnings: [...warnings, ...found.warnings] },
      upstream: {
        serverVersion,
        systemIdentifier: found.systemIdentifier,
        replicaLagSeconds: found.replicaLagSeconds,
      },
    }
  } catch (thrown) {
    if (signal?.aborted) throw new PosternError('CANCELLED', 'The connection test was given up', { cause: thrown })
    const met = asPosternError(thrown)
    if (met.code === 'INTERNAL') throw thrown
    const found = await explainByListener(met, route, { ...deps.dialer, secrets, timeoutMs: TEST_TIMEOUT_MS, signal })
    const failure = namingAddress(found, route)
    stages.failed(failure, failureAction(deps, route, failure))
    const serverVersion = session && { serverVersion: session.serverVersion }
    return { report: { ...base, ok: false, warnings, ...serverVersion }, failure }
  } finally {
    await session?.close()
  }
}

function privilegesOf({ user, privileges, missingPrivileges, seenAddress }: PrivilegeReport) {
  return { user, privileges: [...privileges], missingPrivileges: [...missingPrivileges], seenAddress }
}
