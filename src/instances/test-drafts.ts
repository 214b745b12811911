import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { ManageMode } from '../contract/engines.ts'
import type { ConnectionReport } from '../contract/connection-reports.ts'
import type { Actor } from '../identity/actor.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import type { DataSourceCheck } from '../store/data-sources.ts'
import type { DataSourceDraft } from './draft-data-source.ts'
import { draftTestAudit } from './instance-audit.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { testConnection, type ConnectionTest, type TestedUpstream, type TestOptions } from './test-connection.ts'

/** Tests of all that a change touches: one report for the caller, and what was found for storing it. */
export interface DraftTests {
  readonly report: ConnectionReport
  readonly upstreamOf: ReadonlyMap<DataSourceDraft, TestedUpstream>
  /** When the last of them had run. */
  readonly testedAt: Date
  /** The first failure; absent when every test was good. */
  readonly failure?: PosternError
}

/**
 * Tests drafted data sources one after the other, the admin one first, and all of them even when one fails. Each attempt is
 * recorded before it is made.
 * @param cluster identifier of the instance's cluster, as far as it is known: a read-only data source that leads to another one
 *   is warned about
 */
export async function testDrafts(
  deps: InstanceDependencies,
  actor: Actor,
  drafts: readonly DataSourceDraft[],
  options: TestOptions & { readonly manageMode: ManageMode | null; readonly cluster?: string | null },
): Promise<DraftTests> {
  const upstreamOf = new Map<DataSourceDraft, TestedUpstream>()
  const reports: ConnectionReport[] = []
  let failure: PosternError | undefined
  let cluster = options.cluster ?? null
  for (const draft of drafts.toSorted((a, b) => a.source.type.localeCompare(b.source.type))) {
    // Before anything is dialled: a test shows what answers at an address, whether anything is stored in the end or not.
    await withStoreErrors(recordAudit(deps.store.db, draftTestAudit(actor, draft)))
    const test = await testConnection(deps, { ...subjectOf(draft), manageMode: options.manageMode }, options)
    const found = 'upstream' in test ? test.upstream : undefined
    if (found !== undefined) upstreamOf.set(draft, found)
    if ('failure' in test) failure ??= ofDataSource(test.failure, draft, drafts.length)
    if (draft.source.type === 'admin') cluster = found?.systemIdentifier ?? cluster
    reports.push(withClusterWarning(test, draft, cluster))
  }
  return { report: joined(reports), upstreamOf, testedAt: deps.clock.now(), ...(failure && { failure }) }
}

/** What is known of a drafted data source's health once it is stored: that it was just tested, else what was known before. */
export function checkOf(draft: DataSourceDraft, tests: DraftTests | undefined): DataSourceCheck | null {
  const found = tests?.upstreamOf.get(draft)
  if (tests !== undefined && found !== undefined) {
    return { checkedAt: tests.testedAt, ok: true, code: null, lagSeconds: found.replicaLagSeconds }
  }
  return draft.needsTest ? null : (draft.before?.lastCheck ?? null)
}

function subjectOf({ source, route, secrets }: DataSourceDraft) {
  return { name: source.name, route, purpose: source.type, openSecrets: () => Promise.resolve(secrets) }
}

/** With several of them the caller wants to know which one. */
function ofDataSource(failure: PosternError, { source }: DataSourceDraft, count: number): PosternError {
  if (count === 1) return failure
  return new PosternError(failure.code, `data source '${source.name}': ${failure.message}`, {
    cause: failure,
    ...(failure.hint !== undefined && { hint: failure.hint }),
    ...(failure.detail !== undefined && { detail: failure.detail }),
  })
}

function withClusterWarning(test: ConnectionTest, draft: DataSourceDraft, cluster: string | null): ConnectionReport {
  const found = 'upstream' in test ? test.upstream.systemIdentifier : null
  if (draft.source.type === 'admin' || found === null || cluster === null || found === cluster) return test.report
  const warning = 'it leads to another database cluster than the admin data source: it is no replica of that one'
  return { ...test.report, warnings: [...test.report.warnings, warning] }
}

/** The first one with the others inside; nothing to test is good. */
function joined(reports: readonly ConnectionReport[]): ConnectionReport {
  const [first, ...others] = reports
  if (first === undefined) {
    return {
      ok: true,
      dataSource: 'admin',
      stages: [],
      privileges: [],
      missingPrivileges: [],
      warnings: [],
      seenAddress: null,
      addressesToAllow: [],
    }
  }
  const readOnlyDataSources = others.length === 0 ? {} : { readOnlyDataSources: others }
  return { ...first, ok: reports.every(({ ok }) => ok), ...readOnlyDataSources }
}
