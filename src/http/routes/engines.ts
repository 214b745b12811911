import { z } from 'zod'
import { EngineDescription, EngineList, EngineQuery } from '../../contract/engine-descriptions.ts'
import { EngineName } from '../../contract/engines.ts'
import { describeEngine, describeEngines } from '../../instances/describe-engines.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const params = z.object({ engine: EngineName })

export const engineRoutes: AddRoutes = (app, deps) => {
  app.get(
    '/v1/engines',
    {
      schema: {
        summary: 'List the engines: what a form for a data source of each is made of',
        querystring: EngineQuery,
        response: answers(EngineList),
      },
    },
    async (request) => ({ engines: await describeEngines(deps, actorOf(request), request.query) }),
  )

  app.get(
    '/v1/engines/:engine',
    { schema: { summary: 'Read an engine', params, querystring: EngineQuery, response: answers(EngineDescription) } },
    async (request) => describeEngine(deps, actorOf(request), request.params.engine, request.query),
  )
}
