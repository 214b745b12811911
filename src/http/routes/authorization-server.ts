import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { isLoopbackHost } from '../../config/ip-address.ts'
import { type AuthorizationServers, oauthMountPath } from '../../oauth/authorization-server.ts'
import { oauthPaths } from '../../oauth/provider-configuration.ts'
import type { HttpApp } from '../route.ts'
import type { RequestWorkspaces } from '../workspace-of-request.ts'

const HostMetadata = z.object({
  oidc_endpoint: z.string(),
  workspace_id: z.string(),
  host_type: z.literal('WORKSPACE_HOST'),
  cloud: z.literal('AWS'),
  token_federation_default_oidc_audiences: z.array(z.string()),
})

/** The authorization server of the workspace that the Host header selects, and the document by which clients find it. */
export function authorizationServerRoutes(
  app: HttpApp,
  deps: { readonly authorizationServers: AuthorizationServers; readonly workspaces: RequestWorkspaces },
): void {
  // Clients of the compatible API start here; without it they do not find the token endpoint.
  app.get(
    '/.well-known/databricks-config',
    { schema: { summary: 'Where the authorization server is', response: { 200: HostMetadata } } },
    async (request) => {
      const workspace = await deps.workspaces.of(request)
      const issuer = deps.workspaces.originOf(workspace) + oauthMountPath
      return {
        oidc_endpoint: issuer,
        workspace_id: workspace.id,
        host_type: 'WORKSPACE_HOST' as const,
        cloud: 'AWS' as const,
        token_federation_default_oidc_audiences: [issuer + oauthPaths.token],
      }
    },
  )

  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    const workspace = await deps.workspaces.of(request)
    const issuer = deps.workspaces.originOf(workspace) + oauthMountPath
    const server = deps.authorizationServers.for(workspace, issuer)
    reply.hijack()
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value)
    }
    await server.answer(request.raw, reply.raw, { peer: request.ip, requestId: request.id })
  }

  app.register(async (oauth) => {
    // The authorization server reads its own body, up to 56 KiB.
    oauth.removeAllContentTypeParsers()
    oauth.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const hidden = { schema: { hide: true } }
    oauth.get(`${oauthMountPath}/.well-known/oauth-authorization-server`, hidden, answer)
    oauth.get(`${oauthMountPath}/.well-known/openid-configuration`, hidden, answer)
    oauth.get(oauthMountPath + oauthPaths.keys, hidden, answer)
    const { token, revocation, introspection, deviceAuthorization } = oauthPaths
    for (const path of [token, revocation, introspection, deviceAuthorization]) {
      oauth.post(oauthMountPath + path, hidden, answer)
    }
    const page = async (request: FastifyRequest, reply: FastifyReply) => {
      const elsewhere = await canonicalAddress(deps.workspaces, request)
      return elsewhere === undefined ? answer(request, reply) : reply.redirect(elsewhere, 303)
    }
    const { authorization, device, interaction, signOut } = oauthPaths
    for (const path of [
      authorization,
      `${authorization}/:uid`,
      device,
      `${device}/:uid`,
      `${interaction}/:uid`,
      signOut,
    ]) {
      oauth.get(oauthMountPath + path, hidden, page)
    }
    for (const path of [device, `${interaction}/:uid`, signOut]) oauth.post(oauthMountPath + path, hidden, answer)
  })
}

/**
 * Where a browser should be that came by another name of this machine: its cookies would not come back, since the pages name
 * each other by the issuer. Other names are the business of whoever stands in front.
 */
async function canonicalAddress(workspaces: RequestWorkspaces, request: FastifyRequest): Promise<string | undefined> {
  const origin = workspaces.originOf(await workspaces.of(request))
  const { host, hostname } = new URL(origin)
  if (!isLoopbackHost(hostname.replace(/^\[|\]$/g, '')) || request.host.toLowerCase() === host) return undefined
  return origin + request.url
}
