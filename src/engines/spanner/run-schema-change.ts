import { setTimeout as sleep } from 'node:timers/promises'
import type { QueryEvent } from '../query-events.ts'
import type { ScannedStatement } from '../scan-statements.ts'
import { isRecord } from '../read-body.ts'
import { readStatus, spannerFailure } from './errors.ts'
import type { SpannerRestClient } from './rest-client.ts'

/** How often a change of the schema is asked about: they take from under a second to hours. */
const POLL_MS = [100, 250, 500, 1000, 2000] as const

export interface SchemaChange {
  readonly rest: SpannerRestClient
  /** `projects/P/instances/I/databases/D`. */
  readonly databaseName: string
  readonly statement: ScannedStatement
  readonly wholeText: string
  readonly signal: AbortSignal
}

/** DDL goes by a call of its own (updateDatabaseDdl), as an operation that is waited for, and cancelled with the signal. */
export async function* runSchemaChange(change: SchemaChange): AsyncGenerator<QueryEvent> {
  const { rest, databaseName, statement, signal } = change
  const path = `${databaseName}/ddl`
  const started = await rest.try({ method: 'PATCH', path, body: { statements: [statement.text] }, signal })
  if ('failed' in started) throw spannerFailure(started.failed, { ...change, offset: statement.offset })
  await finished(change, started.ok)
  yield { type: 'complete', command: null, rowCount: null }
}

async function finished(change: SchemaChange, started: Readonly<Record<string, unknown>>): Promise<void> {
  const { rest, statement, signal } = change
  const name = String(started['name'])
  let operation = started
  for (let poll = 0; operation['done'] !== true; poll += 1) {
    try {
      await sleep(POLL_MS[Math.min(poll, POLL_MS.length - 1)], undefined, { signal })
      operation = await rest.call({ method: 'GET', path: name, signal })
    } catch (thrown) {
      if (signal.aborted) await cancelOperation(rest, name)
      throw thrown
    }
  }
  if (!isRecord(operation['error'])) return
  throw spannerFailure(readStatus(operation, 200), { ...change, offset: statement.offset })
}

async function cancelOperation(rest: SpannerRestClient, name: string): Promise<void> {
  const signal = AbortSignal.timeout(5000)
  await rest.try({ method: 'POST', path: `${name}:cancel`, body: {}, signal }).catch(() => null)
}
