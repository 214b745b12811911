import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import {
  CreateSsoProviderInput,
  SsoProvider,
  SsoProviderList,
  UpdateSsoProviderInput,
} from '../../contract/sso-providers.ts'
import {
  createSsoProvider,
  deleteSsoProvider,
  findSsoProvider,
  listSsoProviders,
  type SsoProvider as Provider,
  updateSsoProvider,
} from '../../identity/sso/sso-providers.ts'
import type { HttpDependencies } from '../http-dependencies.ts'
import { presentSsoProvider } from '../present/sso-provider.ts'
import { actorOf, answers, type HttpApp } from '../route.ts'
import type { RequestWorkspaces } from '../workspace-of-request.ts'
import { ssoCallbackPath } from './sso-sign-in.ts'

const path = '/v1/ssoProviders'
const params = z.object({ ssoProvider: z.string().describe('Id or name.') })

/** Identity providers through which people sign in to the workspace. */
export function ssoProviderRoutes(
  app: HttpApp,
  deps: HttpDependencies & { readonly workspaces: RequestWorkspaces },
): void {
  const present = async (request: FastifyRequest, provider: Provider) => {
    const origin = deps.workspaces.originOf(await deps.workspaces.of(request))
    return presentSsoProvider(provider, origin + ssoCallbackPath(provider.id))
  }

  app.post(
    path,
    {
      schema: {
        summary: 'Let people sign in through an identity provider',
        body: CreateSsoProviderInput,
        response: answers(SsoProvider),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'ssoProvider.create')
      return present(request, await createSsoProvider(deps, actor, request.body))
    },
  )

  app.get(
    path,
    { schema: { summary: 'List the SSO providers of the workspace, at most 20', response: answers(SsoProviderList) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'ssoProvider.read')
      const providers = await listSsoProviders(deps, actor.workspaceId)
      return { ssoProviders: await Promise.all(providers.map((provider) => present(request, provider))) }
    },
  )

  app.get(
    `${path}/:ssoProvider`,
    { schema: { summary: 'Read an SSO provider', params, response: answers(SsoProvider) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'ssoProvider.read')
      return present(request, await findSsoProvider(deps, actor.workspaceId, request.params.ssoProvider))
    },
  )

  app.patch(
    `${path}/:ssoProvider`,
    {
      schema: {
        summary: 'Change an SSO provider; its issuer stays',
        params,
        body: UpdateSsoProviderInput,
        response: answers(SsoProvider),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'ssoProvider.update')
      const { ssoProvider } = request.params
      return present(request, await updateSsoProvider(deps, actor, ssoProvider, request.body))
    },
  )

  app.delete(
    `${path}/:ssoProvider`,
    { schema: { summary: 'Delete an SSO provider; its users stay', params, response: answers(z.object({})) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'ssoProvider.delete')
      await deleteSsoProvider(deps, actor, request.params.ssoProvider)
      return {}
    },
  )
}
