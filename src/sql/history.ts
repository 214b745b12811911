import { recordAudit } from '../audit/record-audit.ts'
import { mayDo } from '../access/policy.ts'
import { PosternError } from '../base/errors.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import {
  deleteSqlExecutions,
  findSqlExecution,
  forgetOldSqlExecutions,
  forgetSurplusSqlExecutions,
  listSqlExecutions,
  SQL_CANCEL_CHANNEL,
  type SqlExecutionRow,
  type SqlHistoryFilter,
} from '../store/sql-executions.ts'
import type { Store } from '../store/store.ts'
import type { RunningExecutions } from './running-executions.ts'
import { openStatement } from './statement-seal.ts'

interface HistoryDependencies {
  readonly store: Store
  readonly masterKey: MasterKey
}

/** An execution as its principal sees it. */
export interface SqlHistoryEntry extends Omit<SqlExecutionRow, 'statementSealed'> {
  /** Null where it no longer opens: another master key. */
  readonly statement: string | null
}

/** Where a page of the history ended. */
export interface SqlHistoryPosition {
  readonly startedAt: Date
  readonly id: string
}

/** Entries that one request opens to look for a text: the store cannot look into what is sealed. */
const SEARCHED_MAX = 5_000
const SEARCHED_AT_ONCE = 500
/** Characters of statements that one request looks through, and that one answer holds. */
const SEARCHED_MAX_CHARACTERS = 24 * 1024 * 1024
const ANSWER_MAX_CHARACTERS = 8 * 1024 * 1024

/**
 * Statements that the actor ran, the newest first: his own and nobody else's, whatever his workspace role.
 * @param filter `text`: only statements that hold it, in any case
 * @returns at most `limit`, and where to go on when there may be more: a search stops after so many entries without a find, and
 *   long statements make a shorter answer
 */
export async function readSqlHistory(
  deps: HistoryDependencies,
  actor: Actor,
  filter: SqlHistoryFilter & { readonly text?: string | undefined },
  page: { readonly limit: number; readonly before?: SqlHistoryPosition | undefined },
): Promise<{ readonly entries: readonly SqlHistoryEntry[]; readonly next: SqlHistoryPosition | undefined }> {
  const { text, ...columns } = filter
  const needle = text?.toLowerCase()
  const entries: SqlHistoryEntry[] = []
  let { before } = page
  let [searched, read, answered] = [0, 0, 0]
  while (searched < SEARCHED_MAX && read < SEARCHED_MAX_CHARACTERS && answered < ANSWER_MAX_CHARACTERS) {
    const limit = needle === undefined ? page.limit + 1 : SEARCHED_AT_ONCE
    const found = await listSqlExecutions(deps.store.db, actor.workspaceId, actor.principalId, columns, {
      limit,
      before,
    })
    for (const row of found.rows) {
      if (entries.length === page.limit || answered >= ANSWER_MAX_CHARACTERS) return { entries, next: before }
      searched += 1
      before = { startedAt: row.startedAt, id: row.id }
      const entry = entryOf(deps.masterKey, row)
      const characters = entry.statement?.length ?? 0
      read += characters
      if (needle !== undefined && !entry.statement?.toLowerCase().includes(needle)) continue
      entries.push(entry)
      answered += characters
    }
    if (found.isLast) return { entries, next: undefined }
  }
  return { entries, next: before }
}

/** One execution of the actor's own. @throws PosternError NOT_FOUND, also for one of somebody else */
export async function readSqlExecution(deps: HistoryDependencies, actor: Actor, id: string): Promise<SqlHistoryEntry> {
  const row = await findSqlExecution(deps.store.db, actor.workspaceId, id)
  if (row === undefined || row.principalId !== actor.principalId) throw unknownExecution(id)
  return entryOf(deps.masterKey, row)
}

/**
 * Cancels a statement that runs, on whichever node it does. One's own; a Workspace Admin or DBA anybody's, without seeing what it
 * is. It returns before the database has obeyed; cancelling what has ended does nothing.
 * @throws PosternError NOT_FOUND, also for one of somebody else
 */
export async function cancelSql(
  deps: { readonly store: Store; readonly sqlRunning: RunningExecutions },
  actor: Actor,
  id: string,
): Promise<Pick<SqlExecutionRow, 'id' | 'state'>> {
  const row = await findSqlExecution(deps.store.db, actor.workspaceId, id)
  if (row === undefined || !(row.principalId === actor.principalId || mayDo(actor, 'sql.cancelAny'))) {
    throw unknownExecution(id)
  }
  if (row.state !== 'RUNNING') return row
  await recordAudit(deps.store.db, {
    ...actorAudit(actor),
    action: 'sql.cancel',
    outcome: 'allowed',
    targetType: 'instance',
    targetId: row.instanceId,
    targetName: row.instanceName,
    detail: { executionId: id, ofPrincipal: row.principalId },
  })
  if (!deps.sqlRunning.cancel(id)) await deps.store.notify(SQL_CANCEL_CHANNEL, id)
  return row
}

/**
 * Forgets statements of the actor's own that have ended. The audit records stay; they hold no text.
 * @param id only this one; undefined: all
 * @throws PosternError NOT_FOUND when there is no such one
 */
export async function deleteSqlHistory(
  deps: HistoryDependencies,
  actor: Actor,
  id: string | undefined,
): Promise<number> {
  const deleted = await deleteSqlExecutions(deps.store.db, actor.workspaceId, actor.principalId, id)
  if (id !== undefined && deleted === 0) throw unknownExecution(id)
  return deleted
}

/** What the history keeps of one principal in one workspace: its newest statements. */
const HISTORY_SHARE = { entries: 10_000, bytes: 64 * 1024 * 1024 } as const

/** Forgets statements that are older than the retention, and the oldest of whoever has more than a share. */
export async function sweepSqlHistory(
  deps: { readonly store: Store },
  retentionDays: number,
  share: { readonly entries: number; readonly bytes: number } = HISTORY_SHARE,
): Promise<void> {
  while ((await forgetOldSqlExecutions(deps.store.db, retentionDays)) >= 5_000) continue
  while ((await forgetSurplusSqlExecutions(deps.store.db, share)) >= 5_000) continue
}

function entryOf(masterKey: MasterKey, { statementSealed, ...row }: SqlExecutionRow): SqlHistoryEntry {
  return { ...row, statement: opened(masterKey, row.id, row.principalId, statementSealed) }
}

function opened(masterKey: MasterKey, id: string, principalId: string, sealed: Buffer): string | null {
  try {
    return openStatement(masterKey, id, principalId, sealed)
  } catch (thrown) {
    // One entry that cannot be read must not hide the others.
    if (thrown instanceof PosternError && thrown.code === 'SECRET_UNREADABLE') return null
    throw thrown
  }
}

function unknownExecution(id: string): PosternError {
  return new PosternError('NOT_FOUND', `No execution '${id}' of yours exists`)
}
