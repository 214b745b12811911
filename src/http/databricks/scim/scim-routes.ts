import type { AddRoutes } from '../../route.ts'
import { scimDiscoveryRoutes } from './discovery.ts'
import { scimGroupRoutes } from './groups.ts'
import { scimMeRoutes } from './me.ts'
import { scimServicePrincipalRoutes } from './service-principals.ts'
import { scimUserRoutes } from './users.ts'

const mediaType = 'application/scim+json'

/** SCIM 2.0 (RFC 7643, RFC 7644): an identity provider keeps users, groups and service principals of the workspace in step. */
export const scimRoutes: AddRoutes = (app, deps) => {
  app.register(async (scim) => {
    const parse = scim.getDefaultJsonParser('error', 'error')
    scim.addContentTypeParser(mediaType, { parseAs: 'string' }, (request, body, done) => {
      if (body === '') done(null, undefined)
      else void parse(request, body as string, done)
    })
    scim.addHook('onSend', async (request, reply) => {
      if (request.headers.accept?.includes(mediaType)) reply.type(`${mediaType}; charset=utf-8`)
    })
    for (const addRoutes of [
      scimMeRoutes,
      scimUserRoutes,
      scimGroupRoutes,
      scimServicePrincipalRoutes,
      scimDiscoveryRoutes,
    ]) {
      addRoutes(scim, deps)
    }
  })
}
