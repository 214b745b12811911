import { z } from 'zod'
import { SetupGuide, SetupGuideKind, SetupGuideQuery } from '../../contract/setup-guides.ts'
import { readSetupGuide } from '../../instances/setup-guides/setup-guide.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const params = z.object({ kind: SetupGuideKind })

export const setupGuideRoutes: AddRoutes = (app) => {
  app.get(
    '/v1/setupGuides/:kind',
    {
      schema: {
        summary: 'Read what to set up outside of Postern so that a data source has no password here',
        params,
        querystring: SetupGuideQuery,
        response: answers(SetupGuide),
      },
    },
    async (request) => readSetupGuide(actorOf(request), request.params.kind, request.query),
  )
}
