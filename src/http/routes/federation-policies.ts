import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import {
  CreateFederationPolicyInput,
  FederationPolicy,
  FederationPolicyList,
} from '../../contract/federation-policies.ts'
import {
  createFederationPolicy,
  deleteFederationPolicy,
  listFederationPolicies,
} from '../../identity/federation/federation-policies.ts'
import { presentFederationPolicy } from '../present/federation-policy.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/servicePrincipals/:clientId/federationPolicies'
const params = z.object({ clientId: z.uuid('must be a UUID') })

export const federationPolicyRoutes: AddRoutes = (app, deps) => {
  app.post(
    path,
    {
      schema: {
        summary: "Let another issuer's tokens stand for a service principal",
        params,
        body: CreateFederationPolicyInput,
        response: answers(FederationPolicy),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'federationPolicy.create')
      return presentFederationPolicy(await createFederationPolicy(deps, actor, request.params.clientId, request.body))
    },
  )

  app.get(
    path,
    {
      schema: {
        summary: 'List the federation policies of a service principal, at most 20',
        params,
        response: answers(FederationPolicyList),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'federationPolicy.read')
      const policies = await listFederationPolicies(deps, actor, request.params.clientId)
      return { federationPolicies: policies.map(presentFederationPolicy) }
    },
  )

  app.delete(
    `${path}/:name`,
    {
      schema: {
        summary: 'Delete a federation policy',
        params: params.extend({ name: z.string() }),
        response: answers(z.object({})),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'federationPolicy.delete')
      await deleteFederationPolicy(deps, actor, request.params.clientId, request.params.name)
      return {}
    },
  )
}
