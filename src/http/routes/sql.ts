import { z } from 'zod'
import {
  CancelSqlAnswer,
  DeleteSqlHistoryAnswer,
  ExecuteSqlInput,
  ListSqlExecutionsQuery,
  SqlEvent,
  SqlExecution,
  SqlExecutionList,
} from '../../contract/sql.ts'
import { executeSql } from '../../sql/execute-sql.ts'
import { cancelSql, deleteSqlHistory, readSqlExecution, readSqlHistory } from '../../sql/history.ts'
import { decodePageToken, pageTokenFor } from '../page-token.ts'
import { presentSqlExecution } from '../present/sql-execution.ts'
import { actorOf, answers, streamAnswers, type AddRoutes } from '../route.ts'
import { sendLines } from '../send-lines.ts'
import { NDJSON, signalOf } from '../stream-lines.ts'

const params = z.object({ name: z.string() })
const idParams = z.object({ id: z.uuid() })
const position = z.tuple([z.iso.datetime(), z.uuid()])

export const sqlRoutes: AddRoutes = (app, deps) => {
  app.post(
    '/v1/instances/:name/sql::execute',
    {
      schema: {
        summary: 'Run SQL: the events of its answer, one JSON object a line; closing the request cancels',
        params,
        body: ExecuteSqlInput,
        produces: [NDJSON],
        response: streamAnswers(SqlEvent),
      },
    },
    async (request, reply) => {
      const gone = signalOf(request, reply)
      const running = await executeSql(deps, actorOf(request), request.params.name, request.body, gone)
      return sendLines(reply, startingWith(running.start, running.events), { gone, overdue: running.overdue })
    },
  )

  app.get(
    '/v1/sqlExecutions',
    {
      schema: {
        summary: 'List the SQL that you ran, newest first',
        querystring: ListSqlExecutionsQuery,
        response: answers(SqlExecutionList),
      },
    },
    async (request) => {
      const { pageSize, pageToken, instance, state, since, query } = request.query
      const after = decodePageToken(pageToken, position)
      const before = after && { startedAt: new Date(after[0]), id: after[1] }
      const filter = {
        instanceName: instance,
        state,
        since: since === undefined ? undefined : new Date(since),
        text: query,
      }
      const { entries, next } = await readSqlHistory(deps, actorOf(request), filter, { limit: pageSize, before })
      return {
        sqlExecutions: entries.map(presentSqlExecution),
        nextPageToken: next && pageTokenFor([next.startedAt.toISOString(), next.id]),
      }
    },
  )

  app.get(
    '/v1/sqlExecutions/:id',
    { schema: { summary: 'Read one execution of yours', params: idParams, response: answers(SqlExecution) } },
    async (request) => presentSqlExecution(await readSqlExecution(deps, actorOf(request), request.params.id)),
  )

  app.post(
    // Two colons are a literal one: the path ends in ID:cancel.
    '/v1/sqlExecutions/:id(^.+)::cancel',
    {
      schema: {
        summary: 'Cancel a statement that runs, on whichever node it does',
        params: idParams,
        body: z.strictObject({}).nullish(),
        response: answers(CancelSqlAnswer),
      },
    },
    async (request) => {
      const { id, state } = await cancelSql(deps, actorOf(request), request.params.id)
      return { id, state }
    },
  )

  app.delete(
    '/v1/sqlExecutions',
    { schema: { summary: 'Forget all SQL that you ran', response: answers(DeleteSqlHistoryAnswer) } },
    async (request) => ({ deleted: await deleteSqlHistory(deps, actorOf(request), undefined) }),
  )

  app.delete(
    '/v1/sqlExecutions/:id',
    {
      schema: { summary: 'Forget one execution of yours', params: idParams, response: answers(DeleteSqlHistoryAnswer) },
    },
    async (request) => ({ deleted: await deleteSqlHistory(deps, actorOf(request), request.params.id) }),
  )
}

async function* startingWith(start: SqlEvent, events: AsyncGenerator<SqlEvent, void>): AsyncGenerator<SqlEvent, void> {
  try {
    yield start
    yield* events
  } finally {
    // Where nobody took the start, the events were never begun here.
    await events.return()
  }
}
