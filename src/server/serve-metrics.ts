import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Figures, FIGURES_CONTENT_TYPE, renderFigures } from '../telemetry/metrics.ts'
import type { MessageToChild } from './child-messages.ts'

/** Longer than the supervisor waits for the others. */
const ANSWER_LIMIT_MS = 3_000

/** A listener for Prometheus, and nothing else. */
export interface MetricsListener {
  readonly port: number
  close(): void
}

/**
 * Serves `GET /metrics` for the whole node, from the control plane: it is no root, and the supervisor, who may be, listens nowhere.
 * Open to whoever reaches the address: there is no secret in it, and no name of anybody.
 * @throws Error with the system's `code` when it cannot listen
 */
export async function serveMetrics(address: {
  readonly host: string
  readonly port: number
}): Promise<MetricsListener> {
  const gather = askSupervisor()
  const server: Server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    gather()
      .then(renderFigures)
      .then(
        (text) => response.writeHead(200, { 'content-type': FIGURES_CONTENT_TYPE }).end(text),
        () => response.writeHead(503).end(),
      )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function askSupervisor(): () => Promise<readonly Figures[]> {
  const waiting = new Map<number, (figures: readonly Figures[]) => void>()
  let lastId = 0
  process.on('message', (message: MessageToChild) => {
    if (message.type !== 'all-figures') return
    waiting.get(message.id)?.(message.ofProcesses)
    waiting.delete(message.id)
  })
  return async () => {
    const id = ++lastId
    const { promise, resolve } = Promise.withResolvers<readonly Figures[]>()
    waiting.set(id, resolve)
    process.send?.({ type: 'all-figures-asked', id })
    const late = sleep(ANSWER_LIMIT_MS, undefined, { ref: false }).then(() => {
      waiting.delete(id)
      throw new Error('the supervisor did not answer')
    })
    late.catch(() => undefined)
    return Promise.race([promise, late])
  }
}
