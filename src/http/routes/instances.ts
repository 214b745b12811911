import { z } from 'zod'
import {
  ConnectionReport,
  CreateInstanceInput,
  CreateInstanceQuery,
  DeleteInstanceAnswer,
  Instance,
  InstanceList,
  InstanceName,
  ListInstancesQuery,
  UpdateInstanceInput,
} from '../../contract/instances.ts'
import { createInstance, validateInstance } from '../../instances/create-instance.ts'
import { deleteInstance } from '../../instances/delete-instance.ts'
import { getInstance, listInstances } from '../../instances/read-instances.ts'
import { startInstance, stopInstance } from '../../instances/start-and-stop.ts'
import { updateInstance } from '../../instances/update-instance.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentInstance } from '../present/instance.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/instances/:name'
const params = z.object({ name: z.string() })

export const instanceRoutes: AddRoutes = (app, deps) => {
  app.post(
    '/v1/instances',
    {
      schema: {
        summary: 'Create an instance, or with validateOnly test its data source',
        querystring: CreateInstanceQuery,
        body: CreateInstanceInput,
        response: answers(z.union([Instance, ConnectionReport])),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      if (request.query.validateOnly) return validateInstance(deps, actor, request.body)
      return presentInstance(await createInstance(deps, actor, request.body), deps.gatewayPort)
    },
  )

  app.get(
    '/v1/instances',
    { schema: { summary: 'List instances', querystring: ListInstancesQuery, response: answers(InstanceList) } },
    async (request) => {
      const { pageSize, pageToken, filter } = request.query
      const after = decodePageToken(pageToken, InstanceName)
      const page = { limit: pageSize + 1, after, nameContains: filter }
      const found = await listInstances(deps, actorOf(request), page)
      const { rows, nextPageToken } = cutPage(found, pageSize, ({ name }) => name)
      return { instances: rows.map((row) => presentInstance(row, deps.gatewayPort)), nextPageToken }
    },
  )

  app.get(path, { schema: { summary: 'Read an instance', params, response: answers(Instance) } }, async (request) =>
    presentInstance(await getInstance(deps, actorOf(request), request.params.name), deps.gatewayPort),
  )

  app.patch(
    path,
    { schema: { summary: 'Change an instance', params, body: UpdateInstanceInput, response: answers(Instance) } },
    async (request) => {
      const changed = await updateInstance(deps, actorOf(request), request.params.name, request.body)
      return presentInstance(changed, deps.gatewayPort)
    },
  )

  app.delete(
    path,
    {
      schema: {
        summary: 'Delete an instance; a managed one with all its data',
        params,
        response: answers(DeleteInstanceAnswer),
      },
    },
    async (request) => {
      const leftovers = await deleteInstance(deps, actorOf(request), request.params.name)
      return leftovers.length === 0 ? {} : { leftPostgresRoles: leftovers.map(({ roleName }) => roleName) }
    },
  )

  for (const [verb, useCase] of [
    ['start', startInstance],
    ['stop', stopInstance],
  ] as const) {
    app.post(
      // Two colons are a literal one, and the expression ends the name before it: the path is /v1/instances/NAME:start.
      `${path}(^.+)::${verb}`,
      {
        schema: {
          summary: `${verb === 'start' ? 'Start' : 'Stop'} a managed instance`,
          params,
          body: z.strictObject({}).nullish(),
          response: answers(Instance),
        },
      },
      async (request) => presentInstance(await useCase(deps, actorOf(request), request.params.name), deps.gatewayPort),
    )
  }
}
