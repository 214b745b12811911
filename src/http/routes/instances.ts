import { z } from 'zod'
import { PosternError } from '../../base/errors.ts'
import { ConnectionReport, TestConnectionInput, TestStoredInput } from '../../contract/connection-reports.ts'
import {
  ChangedInstance,
  CreateInstanceInput,
  DeleteInstanceAnswer,
  DeleteInstanceQuery,
  Instance,
  InstanceList,
  InstanceName,
  type InstanceOrder,
  ListInstancesQuery,
  UpdateInstanceInput,
  UpdateInstanceQuery,
  ValidateOnlyQuery,
} from '../../contract/instances.ts'
import { createInstance, validateInstance } from '../../instances/create-instance.ts'
import { deleteInstance, undeleteInstance } from '../../instances/delete-instance.ts'
import { purgeInstance } from '../../instances/purge-instance.ts'
import { type ChangedInstanceView, getInstance, listInstances } from '../../instances/read-instances.ts'
import { startInstance, stopInstance } from '../../instances/start-and-stop.ts'
import { testStored, testUnsaved } from '../../instances/test-stored.ts'
import { updateInstance, validateUpdate } from '../../instances/update-instance.ts'
import { answerTest } from '../answer-test.ts'
import type { HttpDependencies } from '../http-dependencies.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentInstance } from '../present/instance.ts'
import { actorOf, answers, type AddRoutes, type HttpApp } from '../route.ts'

const path = '/v1/instances/:name'
const params = z.object({ name: z.string() })
const position = z.object({ value: z.string(), name: InstanceName })
const streams = 'With `Accept: application/x-ndjson` a test answers stage by stage as it runs.'

export const instanceRoutes: AddRoutes = (app, deps) => {
  const present = (instance: ChangedInstanceView) => presentInstance(instance, deps.gatewayPort, deps.clock.now())
  changeRoutes(app, deps, present)
  testRoutes(app, deps)

  app.get(
    '/v1/instances',
    { schema: { summary: 'List instances', querystring: ListInstancesQuery, response: answers(InstanceList) } },
    async (request) => {
      const { pageSize, pageToken, label, orderBy, ...filter } = request.query
      const found = await listInstances(
        deps,
        actorOf(request),
        { ...filter, labels: readLabels(label) },
        { limit: pageSize + 1, after: decodePageToken(pageToken, position), ...readOrder(orderBy) },
      )
      const { rows, nextPageToken } = cutPage(found, pageSize, (row) => row.position)
      return { instances: rows.map(present), nextPageToken }
    },
  )

  app.get(path, { schema: { summary: 'Read an instance', params, response: answers(Instance) } }, async (request) =>
    present(await getInstance(deps, actorOf(request), request.params.name)),
  )

  for (const [verb, summary, useCase] of [
    ['start', 'Start a managed instance', startInstance],
    ['stop', 'Stop a managed instance', stopInstance],
    ['undelete', 'Bring back a deleted instance', undeleteInstance],
  ] as const) {
    app.post(
      // Two colons are a literal one, and the expression ends the name before it: the path is /v1/instances/NAME:start.
      `${path}(^.+)::${verb}`,
      { schema: { summary, params, body: z.strictObject({}).nullish(), response: answers(Instance) } },
      async (request) => present(await useCase(deps, actorOf(request), request.params.name)),
    )
  }
}

function changeRoutes(
  app: HttpApp,
  deps: HttpDependencies,
  present: (instance: ChangedInstanceView) => ChangedInstance,
): void {
  app.post(
    '/v1/instances',
    {
      schema: {
        summary: 'Create an instance, or with validateOnly test its data sources',
        description: streams,
        querystring: ValidateOnlyQuery,
        body: CreateInstanceInput,
        response: answers(z.union([ChangedInstance, ConnectionReport])),
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      if (!request.query.validateOnly) return present(await createInstance(deps, actor, request.body))
      return answerTest(request, reply, (options) => validateInstance(deps, actor, request.body, options))
    },
  )

  app.patch(
    path,
    {
      schema: {
        summary: 'Change an instance and its data sources, all of it or nothing',
        description: streams,
        params,
        querystring: UpdateInstanceQuery,
        body: UpdateInstanceInput,
        response: answers(z.union([ChangedInstance, ConnectionReport])),
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { name } = request.params
      const { validateOnly, updateMask } = request.query
      if (!validateOnly) return present(await updateInstance(deps, actor, name, request.body, { updateMask }))
      return answerTest(request, reply, (options) =>
        validateUpdate(deps, actor, name, request.body, { ...options, updateMask }),
      )
    },
  )

  app.delete(
    path,
    {
      schema: {
        summary: 'Delete an instance; a managed one with all its data',
        params,
        querystring: DeleteInstanceQuery,
        response: answers(DeleteInstanceAnswer),
      },
    },
    async (request) => {
      const { name } = request.params
      if (!request.query.purge) return { state: await deleteInstance(deps, actorOf(request), name) }
      const leftovers = await purgeInstance(deps, actorOf(request), name)
      const left = leftovers.length === 0 ? {} : { leftPostgresRoles: leftovers.map(({ roleName }) => roleName) }
      return { state: 'PURGED' as const, ...left }
    },
  )
}

function testRoutes(app: HttpApp, deps: HttpDependencies): void {
  app.post(
    '/v1/instances::testConnection',
    {
      schema: {
        summary: 'Test a data source that is not stored',
        description: streams,
        body: TestConnectionInput,
        response: answers(ConnectionReport),
      },
    },
    async (request, reply) =>
      answerTest(request, reply, (options) => testUnsaved(deps, actorOf(request), request.body, options)),
  )

  app.post(
    `${path}(^.+)::testConnection`,
    {
      schema: {
        summary: 'Test the admin data source of an instance, as it is or as it would be after a change',
        description: streams,
        params,
        body: TestStoredInput.nullish(),
        response: answers(ConnectionReport),
      },
    },
    async (request, reply) =>
      answerTest(request, reply, (options) =>
        testStored(deps, actorOf(request), request.params.name, 'admin', request.body?.dataSource, options),
      ),
  )
}

/** @throws PosternError INVALID_ARGUMENT for a label without a key */
function readLabels(label: string | readonly string[] | undefined): Record<string, string | null> {
  return Object.fromEntries(
    [label ?? []].flat().map((text) => {
      const [key = '', ...value] = text.split(':')
      if (key === '') throw new PosternError('INVALID_ARGUMENT', 'label: must be KEY or KEY:VALUE')
      return [key, value.length === 0 ? null : value.join(':')]
    }),
  )
}

function readOrder(order: InstanceOrder) {
  const descending = order.startsWith('-')
  return { descending, orderBy: order.replace(/^-/, '') as 'name' | 'title' | 'environment' | 'createdAt' }
}
