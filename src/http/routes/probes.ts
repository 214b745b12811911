import { z } from 'zod'
import { checkReadiness } from '../../access/check-readiness.ts'
import type { HttpDependencies } from '../http-dependencies.ts'
import type { HttpApp } from '../route.ts'

const Ready = z.object({ status: z.literal('ready') })
const NotReady = z.object({ status: z.literal('not ready'), problem: z.string(), detail: z.string() })

/**
 * Probes for whoever runs Postern: open to all, under any host name, since a prober names an address of its own choosing.
 * `/healthz`: the process answers. `/readyz`: it should get new work; 503 otherwise.
 */
export function probeRoutes(app: HttpApp, deps: HttpDependencies): void {
  app.get(
    '/healthz',
    { schema: { summary: 'Whether the process answers', response: { 200: z.object({ status: z.literal('ok') }) } } },
    () => ({ status: 'ok' as const }),
  )

  app.get(
    '/readyz',
    { schema: { summary: 'Whether the node should get new work', response: { 200: Ready, 503: NotReady } } },
    async (_request, reply) => {
      const readiness = await checkReadiness(deps)
      if (readiness.isReady) return { status: 'ready' as const }
      const { problem, detail } = readiness
      return reply.code(503).send({ status: 'not ready' as const, problem, detail })
    },
  )
}
