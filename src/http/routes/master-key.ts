import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import { MasterKeyRotation } from '../../contract/master-key.ts'
import { rotateMasterKey } from '../../keys/rotate-master-key.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

export const masterKeyRoutes: AddRoutes = (app, deps) => {
  app.post(
    // Two colons are a literal one: the path is /v1/masterKey:rotate.
    '/v1/masterKey::rotate',
    {
      schema: {
        summary: 'Exchange the master key and seal every stored secret anew',
        body: z.strictObject({}).nullish(),
        response: answers(MasterKeyRotation),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'masterKey.rotate')
      return rotateMasterKey(deps, actor)
    },
  )
}
