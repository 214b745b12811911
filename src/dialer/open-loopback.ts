import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { asPosternError, type PosternError } from '../base/errors.ts'
import { toDuplex } from '../transport/duplex.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import { withTimeLeft, type DialOptions } from './dial-options.ts'
import { dialPlain } from './dial-plain.ts'
import { isOfThisProcess } from './loopback-peer.ts'
import { secureSocket } from './secure-socket.ts'

/** A port of this machine that leads to one data source. */
export interface LoopbackEndpoint {
  /** On 127.0.0.1. Plain: TLS to the database is done here. */
  readonly port: number
  /** Why the last connection could not be passed on: the driver only sees that it was closed. */
  failure(): PosternError | undefined
  /** Ends the listener and everything that goes through it. */
  close(): Promise<void>
}

/**
 * A listener on 127.0.0.1 for a driver that insists on opening sockets itself (Oracle). Each connection is dialled anew by the
 * route, with its address rules, SSH and TLS. The first one is dialled now, so that a bad route fails here, with its stages.
 *
 * Whoever may open sockets on this machine could connect while it is open and would reach the database's login, as anybody
 * in its network does; it carries no login of ours. On Linux a connection of another process is refused, which cannot
 * be told elsewhere. The driver must be kept from following redirects to other addresses.
 *
 * @throws PosternError as dialPlain; UPSTREAM_TLS_*
 */
export async function openLoopback(route: DataSourceRoute, options: DialOptions): Promise<LoopbackEndpoint> {
  const first = await dialWhole(route, options)
  const later = { ...options, onStage: undefined, signal: undefined }
  const open = new Set<Duplex>([first])
  let waiting: Duplex | undefined = first
  let failure: PosternError | undefined
  const next = (): Promise<Duplex> => {
    const ready = waiting
    waiting = undefined
    return ready === undefined || ready.destroyed ? dialWhole(route, later) : Promise.resolve(ready)
  }
  const bridge = async (client: Socket): Promise<void> => {
    open.add(client)
    try {
      if (!(await isOfThisProcess(client))) return
      const upstream = await next()
      open.add(upstream)
      try {
        await Promise.all([pipeline(client, upstream), pipeline(upstream, client)])
      } finally {
        upstream.destroy()
        open.delete(upstream)
      }
    } finally {
      client.destroy()
      open.delete(client)
    }
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.setNoDelay(true)
    bridge(client).catch((thrown: unknown) => (failure = asPosternError(thrown)))
  })
  try {
    await listening(server)
  } catch (thrown) {
    first.destroy()
    throw thrown
  }
  return {
    port: (server.address() as AddressInfo).port,
    failure: () => failure,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const stream of open) stream.destroy()
      return closed
    },
  }
}

async function dialWhole(route: DataSourceRoute, options: DialOptions): Promise<Duplex> {
  const deadlineAt = performance.now() + options.timeoutMs
  const plain = await dialPlain(route, options)
  if (route.tlsMode === 'disable') return toDuplex(plain)
  return toDuplex(await secureSocket(plain, route, withTimeLeft(options, deadlineAt)))
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0, exclusive: true }, () => resolve())
  })
}
