import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import { PageQuery } from '../../contract/paging.ts'
import { CreatedSecret, CreateSecretInput, ServicePrincipalSecretList } from '../../contract/service-principals.ts'
import {
  createServicePrincipalSecret,
  deleteServicePrincipalSecret,
  listServicePrincipalSecrets,
} from '../../identity/service-principal-secrets.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentCreatedSecret, presentSecret } from '../present/service-principal.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/servicePrincipals/:clientId/secrets'
const params = z.object({ clientId: z.uuid('must be a UUID') })

export const servicePrincipalSecretRoutes: AddRoutes = (app, deps) => {
  app.post(
    path,
    {
      schema: {
        summary: 'Create a secret; its value is shown this once',
        params,
        body: CreateSecretInput,
        response: answers(CreatedSecret),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'secret.create')
      const { clientId } = request.params
      return presentCreatedSecret(await createServicePrincipalSecret(deps, actor, clientId, request.body))
    },
  )

  app.get(
    path,
    {
      schema: {
        summary: 'List the secrets of a service principal',
        params,
        querystring: PageQuery,
        response: answers(ServicePrincipalSecretList),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'secret.read')
      const { pageSize, pageToken } = request.query
      const all = await listServicePrincipalSecrets(deps, actor, request.params.clientId)
      const start = all.findIndex((secret) => secret.id === decodePageToken(pageToken, z.uuid())) + 1
      const { rows, nextPageToken } = cutPage(all.slice(start), pageSize, (secret) => secret.id)
      return { secrets: rows.map(presentSecret), nextPageToken }
    },
  )

  app.delete(
    `${path}/:secretId`,
    {
      schema: {
        summary: 'Delete a secret',
        params: params.extend({ secretId: z.uuid('must be a UUID') }),
        response: answers(z.object({})),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'secret.delete')
      await deleteServicePrincipalSecret(deps, actor, request.params.clientId, request.params.secretId)
      return {}
    },
  )
}
