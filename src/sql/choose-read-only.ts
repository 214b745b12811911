import { PosternError } from '../base/errors.ts'
import { listDataSources, type DataSourceCheck, type DataSourceRow } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import { checkDataSource } from './check-data-source.ts'
import type { SqlDependencies } from './sql-dependencies.ts'

/** A finding older than this is looked up again before it decides. */
const FRESH_MS = 60_000

/**
 * The read-only data sources of an instance that answer, the one with the least lag first; of equal ones, the heavier first. The
 * health of each is what the last check found, or a new check's finding where that one is old. The admin data source is never
 * among them.
 *
 * @throws PosternError READ_ONLY_UNAVAILABLE when there is none, or none answers
 */
export async function healthyReadOnlySources(
  deps: Pick<SqlDependencies, 'store' | 'clock' | 'openSession'>,
  instance: InstanceRow,
): Promise<readonly DataSourceRow[]> {
  const sources = (await listDataSources(deps.store.db, [instance.id])).filter(({ type }) => type === 'read_only')
  if (sources.length === 0) throw unavailable(instance, 'has no read-only data source', undefined)
  const now = deps.clock.now().getTime()
  const isFresh = ({ lastCheck }: DataSourceRow) =>
    lastCheck !== null && now - lastCheck.checkedAt.getTime() < FRESH_MS && lastCheck.checkedAt.getTime() <= now
  let checked = await Promise.all(
    sources.map(async (source) => ({
      source,
      check: isFresh(source) ? (source.lastCheck as DataSourceCheck) : await checkDataSource(deps, instance, source),
    })),
  )
  // What was found bad a moment ago may be well again, when nothing else is left.
  if (!checked.some(({ check }) => check.ok)) {
    checked = await Promise.all(
      sources.map(async (source, index) => {
        const before = checked[index]?.check
        const wasAsked = before !== undefined && before !== source.lastCheck
        return { source, check: wasAsked ? before : await checkDataSource(deps, instance, source) }
      }),
    )
  }
  const healthy = checked.filter(({ check }) => check.ok)
  if (healthy.length === 0) {
    throw unavailable(instance, 'has no read-only data source that answers', checked[0]?.check.code ?? undefined)
  }
  return healthy
    .toSorted(
      (a, b) =>
        (a.check.lagSeconds ?? 0) - (b.check.lagSeconds ?? 0) ||
        b.source.weight - a.source.weight ||
        (a.source.name < b.source.name ? -1 : 1),
    )
    .map(({ source }) => source)
}

/** @param code what the first of them failed with */
export function unavailable(instance: InstanceRow, what: string, code: string | undefined): PosternError {
  return new PosternError(
    'READ_ONLY_UNAVAILABLE',
    `Instance '${instance.name}' ${what}${code === undefined ? '' : ` (${code})`}`,
    {
      hint: 'Have a Workspace Admin or DBA add or correct a read-only data source. The admin data source is used only where it is named (source: admin), by who may.',
    },
  )
}
