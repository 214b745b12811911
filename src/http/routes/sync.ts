import { z } from 'zod'
import {
  cancelSync,
  readSyncRun,
  readSyncRuns,
  startSync,
  watchSyncRun,
  type SyncRunRow,
} from '../../catalog/sync-runs.ts'
import { SyncInput, SyncRun, SyncRunList } from '../../contract/catalog.ts'
import { PageQuery } from '../../contract/paging.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentSyncRun } from '../present/catalog.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'
import { sendLines } from '../send-lines.ts'
import { signalOf, wantsLines } from '../stream-lines.ts'

const params = z.object({ name: z.string() })
const runParams = params.extend({ id: z.uuid() })
const position = z.tuple([z.iso.datetime(), z.uuid()])

export const syncRoutes: AddRoutes = (app, deps) => {
  app.post(
    // Two colons are a literal one: the path ends in NAME:sync.
    '/v1/instances/:name(^.+)::sync',
    {
      schema: {
        summary:
          'Read the catalogue of an instance now; with `Accept: application/x-ndjson` its progress follows, one run a line',
        params,
        body: SyncInput.nullish(),
        response: answers(SyncRun),
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const run = await startSync(deps, actorOf(request), name, request.body?.databases)
      if (!wantsLines(request)) return presentSyncRun(run, name)
      const gone = signalOf(request, reply)
      return sendLines(reply, presented(watchSyncRun(deps, run, gone), name), { gone })
    },
  )

  app.get(
    '/v1/instances/:name/syncRuns',
    {
      schema: {
        summary: 'List the readings of a catalogue, newest first',
        params,
        querystring: PageQuery,
        response: answers(SyncRunList),
      },
    },
    async (request) => {
      const { name } = request.params
      const { pageSize, pageToken } = request.query
      const after = decodePageToken(pageToken, position)
      const before = after && { createdAt: new Date(after[0]), id: after[1] }
      const found = await readSyncRuns(deps, actorOf(request), name, { limit: pageSize + 1, before })
      const { rows, nextPageToken } = cutPage(found, pageSize, ({ createdAt, id }) => [createdAt.toISOString(), id])
      return { syncRuns: rows.map((run) => presentSyncRun(run, name)), nextPageToken }
    },
  )

  app.get(
    '/v1/instances/:name/syncRuns/:id',
    { schema: { summary: 'Read how far a reading is', params: runParams, response: answers(SyncRun) } },
    async (request) => {
      const { name, id } = request.params
      return presentSyncRun(await readSyncRun(deps, actorOf(request), name, id), name)
    },
  )

  app.post(
    '/v1/instances/:name/syncRuns/:id(^.+)::cancel',
    {
      schema: {
        summary: 'End a reading; what it has read stays',
        params: runParams,
        body: z.strictObject({}).nullish(),
        response: answers(SyncRun),
      },
    },
    async (request) => {
      const { name, id } = request.params
      return presentSyncRun(await cancelSync(deps, actorOf(request), name, id), name)
    },
  )
}

async function* presented(runs: AsyncGenerator<SyncRunRow, void>, instance: string): AsyncGenerator<SyncRun, void> {
  for await (const run of runs) yield presentSyncRun(run, instance)
}
