import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import { SigningKeyList } from '../../contract/signing-keys.ts'
import { rotateSigningKeys } from '../../keys/rotate-signing-keys.ts'
import { presentSigningKey } from '../present/signing-key.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

export const signingKeyRoutes: AddRoutes = (app, deps) => {
  app.get(
    '/v1/keys',
    { schema: { summary: 'List the signing keys of the workspace', response: answers(SigningKeyList) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'key.read')
      return { keys: deps.signingKeys.list(actor.workspaceId).map(presentSigningKey) }
    },
  )

  app.post(
    // Two colons are a literal one: the path is /v1/keys:rotate.
    '/v1/keys::rotate',
    {
      schema: {
        summary: 'Make new signing keys; they take over in ten minutes',
        body: z.strictObject({}).nullish(),
        response: answers(SigningKeyList),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'key.rotate')
      await rotateSigningKeys(deps, actor)
      await deps.signingKeys.refresh()
      return { keys: deps.signingKeys.list(actor.workspaceId).map(presentSigningKey) }
    },
  )
}
