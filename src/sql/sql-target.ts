import { authorize, mayDo } from '../access/policy.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { SessionId } from '../base/ids.ts'
import type { ExecuteSqlInput } from '../contract/sql.ts'
import type { EngineSession } from '../engines/engine.ts'
import type { Actor } from '../identity/actor.ts'
import { findAdminDataSource, findDataSource, type DataSourceRow } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import { recordFailedUse } from './check-data-source.ts'
import { healthyReadOnlySources, unavailable } from './choose-read-only.ts'
import { openAsMyself } from './open-as-myself.ts'
import type { SqlDependencies } from './sql-dependencies.ts'

/** Where a statement is to run, decided and allowed. `sources`: in the order in which they are tried. */
export type SqlTarget =
  | { readonly source: 'read_only' | 'admin'; readonly sources: readonly DataSourceRow[] }
  | { readonly source: 'self'; readonly roleName: string }

const OPEN_TIMEOUT_MS = 15_000

/**
 * Decides where a statement runs. What is named is used, or refused; where nothing is named it is the best read-only data source.
 * The admin data source is used only where it is named, by its id or as `source: admin`, and only by who may.
 *
 * @throws PosternError PERMISSION_DENIED | INVALID_ARGUMENT | NOT_FOUND | READ_ONLY_UNAVAILABLE
 */
export async function chooseTarget(
  deps: SqlDependencies,
  actor: Actor,
  instance: InstanceRow,
  input: Pick<ExecuteSqlInput, 'source' | 'dataSourceId' | 'role'>,
): Promise<SqlTarget> {
  const { source, dataSourceId, role } = input
  if (role !== undefined && source !== 'self') throw invalid('role', 'is for source self alone')
  if (source === 'self') {
    if (dataSourceId !== undefined) throw invalid('dataSourceId', 'and source self exclude each other')
    authorize(actor, 'sql.asMyself')
    return { source, roleName: role ?? actor.name }
  }
  // Before anything is looked up: whoever may not read learns nothing of the data sources.
  requireShared(actor, source === 'admin' ? 'sql.admin' : 'sql.readOnly')
  if (dataSourceId !== undefined) {
    const named = await findDataSource(deps.store.db, instance.id, dataSourceId)
    if (named === undefined) {
      throw new PosternError('NOT_FOUND', `Instance '${instance.name}' has no data source '${dataSourceId}'`, {
        hint: `\`postern data-source list ${instance.name}\` shows those that it has.`,
      })
    }
    if (source !== undefined && source !== named.type) {
      throw invalid('dataSourceId', `names a data source of type ${named.type}, and source says ${source}`)
    }
    requireShared(actor, named.type === 'admin' ? 'sql.admin' : 'sql.readOnly')
    return { source: named.type, sources: [named] }
  }
  if (source === 'admin') {
    const admin = await findAdminDataSource(deps.store.db, instance.id)
    if (admin) return { source, sources: [admin] }
    throw new PosternError('INSTANCE_NOT_AVAILABLE', `Instance '${instance.name}' has no admin data source yet`)
  }
  return { source: 'read_only', sources: await healthyReadOnlySources(deps, instance) }
}

/** A session at the target; of read-only data sources the first that answers. */
export interface OpenTarget {
  readonly session: EngineSession
  readonly dataSource: DataSourceRow | undefined
  readonly database: string
}

/** @throws PosternError READ_ONLY_UNAVAILABLE when several were tried and none answers; otherwise what went wrong there */
export async function openTarget(
  deps: SqlDependencies,
  actor: Actor,
  instance: InstanceRow,
  target: SqlTarget,
  wish: { readonly database: string | undefined; readonly sessionId: SessionId; readonly signal: AbortSignal },
): Promise<OpenTarget> {
  if (target.source === 'self') {
    const database = wish.database ?? instance.defaultDatabase
    const login = { sessionId: wish.sessionId, roleName: target.roleName, database }
    const session = await openAsMyself(deps, actor, instance, login, wish.signal)
    return { session, dataSource: undefined, database }
  }
  let failure: PosternError | undefined
  for (const dataSource of target.sources) {
    try {
      const session = await deps.openSession(instance, dataSource, {
        purpose: target.source,
        timeoutMs: OPEN_TIMEOUT_MS,
        signal: wish.signal,
        ...(wish.database !== undefined && { database: wish.database }),
      })
      return { session, dataSource, database: wish.database ?? dataSource.database }
    } catch (thrown) {
      failure = asPosternError(thrown)
      // The database that was named, a cancellation or our own fault would be the same at the next one.
      if (failure.row.kind !== 'upstream' || target.source === 'admin') throw thrown
      await recordFailedUse(deps, dataSource, failure.code)
      if (target.sources.length === 1) throw thrown
    }
  }
  throw unavailable(instance, 'has no read-only data source that answers', failure?.code)
}

/** A data source is Postern's own login: what one may read by it is what its user may read. */
function requireShared(actor: Actor, action: 'sql.admin' | 'sql.readOnly'): void {
  if (mayDo(actor, action)) return
  throw new PosternError(
    'PERMISSION_DENIED',
    `SQL on the data sources of an instance needs the role Workspace Admin or Workspace DBA; ${actor.name} is a Workspace Member`,
    { hint: 'Run it as your own Postgres role: source self, or --as-myself on the command line.', detail: { action } },
  )
}

function invalid(field: string, problem: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field}: ${problem}`, { detail: { field } })
}
