import helmet from '@fastify/helmet'
import type { HttpApp } from './route.ts'
import { homeStyleHash } from './routes/home.ts'

/** Headers of every answer: no script, no frame, no guessing of types, nothing kept by caches; and the request id. */
export function addSecurityHeaders(app: HttpApp, isTls: boolean): void {
  app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: [homeStyleHash],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    frameguard: { action: 'deny' },
    // On plain loopback HTTP it would send browsers to an https that is not there.
    strictTransportSecurity: isTls,
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('cache-control', 'no-store')
  })
}
