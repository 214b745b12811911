import { randomUUID } from 'node:crypto'
import { requireAvailableInstance } from '../access/find-instance.ts'
import { auditRecord, type AuditEntry } from '../audit/audit-record.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { asPosternError, type PosternError } from '../base/errors.ts'
import { newUuid, type SessionId } from '../base/ids.ts'
import type { ExecuteSqlInput, SqlEvent } from '../contract/sql.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import type { InstanceRow } from '../store/instances.ts'
import { insertSqlExecution } from '../store/sql-executions.ts'
import { resolveLimits, type StatementLimits } from './resolve-limits.ts'
import { runStatement, type RunningSql } from './run-statement.ts'
import type { SqlDependencies } from './sql-dependencies.ts'
import { chooseTarget, openTarget, type OpenTarget, type SqlTarget } from './sql-target.ts'
import { statementKind } from './statement-kind.ts'
import { sealStatement } from './statement-seal.ts'

/** For the end of a statement to be written, beyond its own time limit, before it counts as lost. */
const END_GRACE_SECONDS = 120

/**
 * Runs a statement on an instance and streams what it answers. By default it runs on the healthy read-only data source with the
 * least lag; the admin data source only where it is named, by who may; as oneself by a login of one's own. Nothing falls back to
 * anything stronger.
 *
 * The audit record, without the text, and the history entry, with the sealed text, are written before the statement runs. The
 * text of a database's error goes to the caller alone: it may quote secrets.
 *
 * @param signal aborting it cancels in the database
 * @throws PosternError PERMISSION_DENIED | INVALID_ARGUMENT | INSTANCE_NOT_FOUND | INSTANCE_NOT_AVAILABLE | NOT_FOUND |
 *   READ_ONLY_UNAVAILABLE | RATE_LIMITED | ROLE_NOT_BOUND | AUDIT_UNAVAILABLE | UPSTREAM_*; what happens after the first event is
 *   an event
 */
export async function executeSql(
  deps: SqlDependencies,
  actor: Actor,
  instanceName: string,
  input: ExecuteSqlInput,
  signal: AbortSignal,
): Promise<RunningSql> {
  const limits = resolveLimits(deps.sqlLimits, input.limits)
  const instance = await requireAvailableInstance(deps, actor.workspaceId, instanceName)
  const execution = { id: randomUUID(), kind: statementKind(input.statement), statement: input.statement }
  const abort = new AbortController()
  const cancel = AbortSignal.any([signal, abort.signal])
  let isRunning = false
  try {
    // Before the choice, which may have to ask every read-only data source how it is.
    deps.sqlRunning.enter(execution.id, actor.principalId, abort)
    isRunning = true
    const target = await chooseTarget(deps, actor, instance, input)
    const sessionId = newUuid<SessionId>()
    const opened = await openTarget(deps, actor, instance, target, {
      database: input.database,
      sessionId,
      signal: cancel,
    })
    try {
      await recordStart(deps, actor, instance, execution, target, opened, sessionId, limits)
    } catch (thrown) {
      await opened.session.close()
      throw thrown
    }
    const start = startEvent(execution.id, instance, target, opened, limits)
    return await runStatement(deps, {
      execution,
      start,
      session: opened.session,
      source: target.source,
      limits,
      cancel,
    })
  } catch (thrown) {
    if (isRunning) deps.sqlRunning.leave(execution.id)
    await recordRefusal(deps, actor, instance, input, execution.kind, asPosternError(thrown))
    throw thrown
  }
}

interface Execution {
  readonly id: string
  readonly kind: string
  readonly statement: string
}

async function recordStart(
  deps: SqlDependencies,
  actor: Actor,
  instance: InstanceRow,
  { id, kind, statement }: Execution,
  target: SqlTarget,
  { dataSource, database }: OpenTarget,
  sessionId: SessionId,
  limits: StatementLimits,
): Promise<void> {
  const postgresRole = target.source === 'self' ? target.roleName : null
  const detail = {
    executionId: id,
    source: target.source,
    dataSource: dataSource?.name ?? null,
    dataSourceId: dataSource?.id ?? null,
    roleName: postgresRole,
    database,
    kind,
    characters: statement.length,
    // Keyed: a guess at a password in the statement cannot be tried against it.
    statementDigest: deps.masterKey.digest('sql statement', statement.toWellFormed()).toString('hex'),
  }
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await recordAudit(db, { ...entryFor(actor, instance), outcome: 'allowed', sessionId, detail })
      await insertSqlExecution(
        db,
        {
          id,
          workspaceId: actor.workspaceId,
          principalId: actor.principalId,
          instanceId: instance.id,
          instanceName: instance.name,
          source: target.source,
          dataSourceName: dataSource?.name ?? null,
          postgresRole,
          database,
          statementSealed: sealStatement(deps.masterKey, id, actor.principalId, statement),
          statementKind: kind,
        },
        limits.timeoutSeconds + END_GRACE_SECONDS,
      )
    }),
  )
}

/** What did not run leaves its trace too: an attempt at the admin data source above all. */
async function recordRefusal(
  deps: SqlDependencies,
  actor: Actor,
  instance: InstanceRow,
  input: ExecuteSqlInput,
  kind: string,
  error: PosternError,
): Promise<void> {
  if (error.code === 'AUDIT_UNAVAILABLE' || error.code === 'STORE_UNAVAILABLE' || error.code === 'INTERNAL') return
  const outcome = error.row.kind === 'denied' ? 'denied' : 'failed'
  const detail = { source: input.source ?? null, dataSourceId: input.dataSourceId ?? null, kind }
  await deps.audit.append(auditRecord({ ...entryFor(actor, instance), outcome, reason: error.code, detail }))
}

function entryFor(actor: Actor, instance: InstanceRow): Omit<AuditEntry, 'outcome'> {
  const target = { targetType: 'instance', targetId: instance.id, targetName: instance.name } as const
  return { ...actorAudit(actor), action: 'sql.execute', ...target }
}

function startEvent(
  executionId: string,
  instance: InstanceRow,
  target: SqlTarget,
  { dataSource, database }: OpenTarget,
  limits: StatementLimits,
): Extract<SqlEvent, { type: 'start' }> {
  return {
    type: 'start',
    executionId,
    instance: instance.name,
    engine: instance.engine,
    database,
    source: target.source,
    dataSource: dataSource === undefined ? null : { id: dataSource.id, name: dataSource.name },
    role: target.source === 'self' ? target.roleName : null,
    limits,
  }
}
