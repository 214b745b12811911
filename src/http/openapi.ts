import swagger from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { HttpApp } from './route.ts'

/** Collects every route added after it into an OpenAPI 3.1 document, made from the schemas that check the requests. */
export function describeApi(app: HttpApp): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Postern',
        description:
          'The control plane: identities, database credentials, instances, Postgres roles, audit. Failures are RFC 9457 problems; below /api/2.0 they are {error_code, message}.',
        version: '1',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: { accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  })
}

/** `/v1/openapi.json`: the document, open to all; it tells nothing of this deployment. */
export function openApiRoutes(app: HttpApp): void {
  app.get('/v1/openapi.json', { schema: { hide: true } }, () => app.swagger())
}
