import { z } from 'zod'
import { ConnectionReport, TestStoredInput } from '../../contract/connection-reports.ts'
import { AddDataSourceInput, DataSource, DataSourceList, UpdateDataSourceInput } from '../../contract/data-sources.ts'
import { ChangedInstance, Instance, UpdateInstanceQuery, ValidateOnlyQuery } from '../../contract/instances.ts'
import {
  addDataSource,
  listDataSources,
  pick,
  removeDataSource,
  updateDataSource,
  validateAddition,
  validateDataSourceUpdate,
} from '../../instances/change-data-sources.ts'
import type { ChangedInstanceView } from '../../instances/read-instances.ts'
import { testStored } from '../../instances/test-stored.ts'
import { answerTest } from '../answer-test.ts'
import { presentDataSource } from '../present/data-source.ts'
import { presentInstance } from '../present/instance.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const all = '/v1/instances/:name/dataSources'
const one = `${all}/:dataSource`
const allParams = z.object({ name: z.string() })
const oneParams = allParams.extend({ dataSource: z.string().describe('Its name or its id.') })
const RemoveQuery = z.object({ etag: z.string().max(64).optional() })

/** Changes answer the whole instance, since its etag moves on with each of them. */
export const dataSourceRoutes: AddRoutes = (app, deps) => {
  const present = (instance: ChangedInstanceView) => presentInstance(instance, deps.gatewayPort, deps.clock.now())

  app.get(
    all,
    {
      schema: { summary: 'List the data sources of an instance', params: allParams, response: answers(DataSourceList) },
    },
    async (request) => {
      const sources = await listDataSources(deps, actorOf(request), request.params.name)
      return { dataSources: sources.map((source) => presentDataSource(source, deps.clock.now())) }
    },
  )

  app.get(
    one,
    { schema: { summary: 'Read a data source', params: oneParams, response: answers(DataSource) } },
    async (request) => {
      const { name, dataSource } = request.params
      const sources = await listDataSources(deps, actorOf(request), name)
      return presentDataSource(pick(sources, { name }, dataSource), deps.clock.now())
    },
  )

  app.post(
    all,
    {
      schema: {
        summary: 'Add a read-only data source, or with validateOnly test it',
        params: allParams,
        querystring: ValidateOnlyQuery,
        body: AddDataSourceInput,
        response: answers(z.union([ChangedInstance, ConnectionReport])),
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { name } = request.params
      if (!request.query.validateOnly) return present(await addDataSource(deps, actor, name, request.body))
      return answerTest(request, reply, (options) => validateAddition(deps, actor, name, request.body, options))
    },
  )

  app.patch(
    one,
    {
      schema: {
        summary: 'Change a data source, or with validateOnly test what it would be',
        params: oneParams,
        querystring: UpdateInstanceQuery,
        body: UpdateDataSourceInput,
        response: answers(z.union([ChangedInstance, ConnectionReport])),
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { name, dataSource } = request.params
      const { validateOnly, updateMask } = request.query
      if (!validateOnly) {
        return present(await updateDataSource(deps, actor, name, dataSource, request.body, { updateMask }))
      }
      return answerTest(request, reply, (options) =>
        validateDataSourceUpdate(deps, actor, name, dataSource, request.body, { ...options, updateMask }),
      )
    },
  )

  app.delete(
    one,
    {
      schema: {
        summary: 'Remove a read-only data source',
        params: oneParams,
        querystring: RemoveQuery,
        response: answers(Instance),
      },
    },
    async (request) => {
      const { name, dataSource } = request.params
      return present(await removeDataSource(deps, actorOf(request), name, dataSource, request.query.etag))
    },
  )

  app.post(
    `${one}(^.+)::testConnection`,
    {
      schema: {
        summary: 'Test a data source, as it is or as it would be after a change',
        params: oneParams,
        body: TestStoredInput.nullish(),
        response: answers(ConnectionReport),
      },
    },
    async (request, reply) => {
      const { name, dataSource } = request.params
      return answerTest(request, reply, (options) =>
        testStored(deps, actorOf(request), name, dataSource, request.body?.dataSource, options),
      )
    },
  )
}
