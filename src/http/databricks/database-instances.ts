import { z } from 'zod'
import { PosternError } from '../../base/errors.ts'
import {
  CompatiblePageQuery,
  DatabaseInstance,
  DatabaseInstanceInput,
  DatabaseInstanceList,
  DeleteDatabaseInstanceQuery,
  UpdateDatabaseInstanceQuery,
} from '../../contract/database-instances.ts'
import { InstanceName } from '../../contract/instances.ts'
import { changeDatabaseInstance } from '../../instances/change-database-instance.ts'
import { createInstance } from '../../instances/create-instance.ts'
import { deleteInstance } from '../../instances/delete-instance.ts'
import { purgeInstance } from '../../instances/purge-instance.ts'
import {
  findDatabaseInstanceByUid,
  getDatabaseInstance,
  listDatabaseInstances,
} from '../../instances/read-database-instances.ts'
import { presentDatabaseInstance } from '../present/database-instance.ts'
import { actorOf, compatibleAnswers, type AddRoutes } from '../route.ts'
import { compatiblePage } from './compatible-page.ts'
import { readInstanceChange, readNewInstance } from './read-instance-input.ts'

const path = '/api/2.0/database/instances'
const params = z.object({ name: z.string() })

/** `/api/2.0/database/instances`: Postgres instances as the compatible API words them. Those it creates are managed. */
export const databaseInstanceRoutes: AddRoutes = (app, deps) => {
  app.post(
    path,
    {
      schema: {
        summary: 'Create a managed Postgres instance',
        body: DatabaseInstanceInput,
        response: compatibleAnswers(DatabaseInstance),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      const name = readName(request.body.name)
      const { nativeLoginEnabled, compatibleSettings } = readNewInstance(request.body)
      const managed = {
        ...(nativeLoginEnabled && { nativeLoginEnabled }),
        ...(compatibleSettings && { compatibleSettings }),
      }
      await createInstance(deps, actor, { kind: 'managed', engine: 'postgres', name }, { managed })
      return presentDatabaseInstance(await getDatabaseInstance(deps, actor, name), { isChange: true })
    },
  )

  app.get(
    path,
    {
      schema: {
        summary: 'List Postgres instances',
        querystring: CompatiblePageQuery,
        response: compatibleAnswers(DatabaseInstanceList),
      },
    },
    async (request) => {
      const { limit, after, cut } = compatiblePage(request.query, InstanceName)
      const found = await listDatabaseInstances(deps, actorOf(request), { limit, after })
      const { rows, ...token } = cut(found, ({ name }) => name)
      return { database_instances: rows.map((row) => presentDatabaseInstance(row)), ...token }
    },
  )

  app.get(
    // Two colons are a literal one.
    `${path}::findByUid`,
    {
      schema: {
        summary: 'Find a Postgres instance by its immutable id',
        querystring: z.object({ uid: z.string().max(64) }),
        response: compatibleAnswers(DatabaseInstance),
      },
    },
    async (request) =>
      presentDatabaseInstance(await findDatabaseInstanceByUid(deps, actorOf(request), request.query.uid)),
  )

  app.get(
    `${path}/:name`,
    { schema: { summary: 'Read a Postgres instance', params, response: compatibleAnswers(DatabaseInstance) } },
    async (request) => presentDatabaseInstance(await getDatabaseInstance(deps, actorOf(request), request.params.name)),
  )

  app.patch(
    `${path}/:name`,
    {
      schema: {
        summary: 'Change a Postgres instance, stop it or start it',
        params,
        querystring: UpdateDatabaseInstanceQuery,
        body: DatabaseInstanceInput.nullish(),
        response: compatibleAnswers(DatabaseInstance),
      },
    },
    async (request) => {
      const { name } = request.params
      const change = readInstanceChange(name, request.query.update_mask, request.body ?? {})
      return presentDatabaseInstance(await changeDatabaseInstance(deps, actorOf(request), name, change), {
        isChange: true,
      })
    },
  )

  app.delete(
    `${path}/:name`,
    {
      schema: {
        summary: 'Delete a Postgres instance; a managed one with all its data',
        params,
        querystring: DeleteDatabaseInstanceQuery,
        response: compatibleAnswers(z.object({})),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      const { purge } = request.query
      if (purge === false) {
        throw new PosternError('INVALID_ARGUMENT', 'purge: false is not possible, deleting an instance is for good', {
          hint: 'Leave purge out.',
        })
      }
      const { name, kind } = await getDatabaseInstance(deps, actor, request.params.name)
      if (kind === 'external' && purge) await purgeInstance(deps, actor, name)
      else await deleteInstance(deps, actor, name)
      return {}
    },
  )
}

/** @throws PosternError INVALID_ARGUMENT in the words that clients of the compatible API know */
function readName(name: string | undefined): string {
  if (!name)
    throw new PosternError('INVALID_ARGUMENT', `Field 'name' is required, expected non-default value (not "")!`)
  const reading = InstanceName.safeParse(name)
  if (reading.success) return reading.data
  throw new PosternError('INVALID_ARGUMENT', `name: ${reading.error.issues[0]?.message ?? 'is invalid'}`)
}
