import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { AddressRules } from '../dialer/address-rules.ts'
import { checkRemoteTarget } from '../dialer/remote-target.ts'
import { dialFirstHopBy } from '../dialer/ssh/dial-first-hop.ts'
import type { TunnelTicket } from '../dialer/ssh/tunnel-messages.ts'
import { TunnelPool } from '../dialer/ssh/tunnel-pool.ts'
import { TunnelServer } from '../dialer/ssh/tunnel-server.ts'
import { createLogger } from '../telemetry/logger.ts'
import { transports } from '../transport/transports.ts'
import { type RunningRole, runChild } from './child-main.ts'
import type { MessageFromChild, TunnelOrderMessage, TunnelsBootstrap } from './child-messages.ts'
import { dropRoot } from './drop-root.ts'

/** A server that owes two answers is gone: sessions through it learn of that within half a minute. */
const KEEP_ALIVE = { intervalMs: 10_000, missesMax: 2 }
const IDLE_MS = 60_000

/** `postern tunnels`: SSH for all other processes of this node, as a child of `postern serve`. */
export function tunnels(): Promise<void> {
  return runChild(startTunnels)
}

async function startTunnels({ config, user, socketFolder }: TunnelsBootstrap): Promise<RunningRole> {
  const logger = createLogger({ level: config.logLevel, role: 'tunnels' })
  const addressRules = AddressRules.create(config.deniedAddresses)
  dropRoot(user)
  // Of one before us, which may still be draining: its sockets do not need their name any more.
  for (const name of readdirSync(socketFolder)) rmSync(join(socketFolder, name))
  const server = await TunnelServer.listen({
    pool: new TunnelPool({
      dialFirstHop: dialFirstHopBy({ transport: transports[config.gatewayTransport], addressRules }),
      checkRemoteTarget: (host) => checkRemoteTarget(host, addressRules),
      keepAlive: KEEP_ALIVE,
      idleMs: IDLE_MS,
    }),
    // A name of its own: ending, it removes this one and not its successor's.
    path: join(socketFolder, randomBytes(6).toString('hex')),
    onError: (error) => logger.error({ err: error }, 'a tunnel failed'),
  })

  /** Undefined, after a line in the log, when there is no room. */
  function ticketFor({ order }: TunnelOrderMessage): TunnelTicket | undefined {
    try {
      return server.take(order)
    } catch (error) {
      logger.error({ err: error }, 'an order was refused')
      return undefined
    }
  }

  return {
    port: 0,
    receive(message) {
      if (message.type !== 'tunnel-order') return
      const answer: MessageFromChild = { type: 'tunnel-answer', id: message.id, ticket: ticketFor(message) }
      process.send?.(answer)
    },
    drain: (timeoutMs) => server.drain(timeoutMs),
  }
}
