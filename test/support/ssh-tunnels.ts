import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AddressRules } from '../../src/dialer/address-rules.ts'
import { checkRemoteTarget } from '../../src/dialer/remote-target.ts'
import { dialFirstHopBy } from '../../src/dialer/ssh/dial-first-hop.ts'
import type { KeepAlive } from '../../src/dialer/ssh/open-hop.ts'
import { TunnelClient } from '../../src/dialer/ssh/tunnel-client.ts'
import { TunnelPool } from '../../src/dialer/ssh/tunnel-pool.ts'
import { TunnelServer } from '../../src/dialer/ssh/tunnel-server.ts'
import type { Transport } from '../../src/transport/byte-socket.ts'
import { bunTransport } from '../../src/transport/bun/bun-transport.ts'

interface TunnelsOptions {
  readonly addressRules?: AddressRules
  readonly keepAlive?: KeepAlive
  readonly idleMs?: number
  readonly transport?: Transport
}

/** Both sides of the tunnels in this process: what the product has in two, its order passed by a call. */
export interface TestTunnels {
  readonly tunnels: TunnelClient
  readonly pool: TunnelPool
  readonly server: TunnelServer
  stop(): Promise<void>
}

export async function startTestTunnels(options: TunnelsOptions = {}): Promise<TestTunnels> {
  const { addressRules = AddressRules.create(), transport = bunTransport } = options
  const folder = mkdtempSync(join(tmpdir(), 'tunnels-'))
  const pool = new TunnelPool({
    dialFirstHop: dialFirstHopBy({ transport, addressRules }),
    checkRemoteTarget: (host) => checkRemoteTarget(host, addressRules),
    keepAlive: options.keepAlive ?? { intervalMs: 10_000, missesMax: 2 },
    idleMs: options.idleMs ?? 60_000,
  })
  const server = await TunnelServer.listen({
    pool,
    path: join(folder, 's'),
    onError: (error) => console.error('tunnel server:', error),
  })
  return {
    pool,
    server,
    tunnels: new TunnelClient({ transport, order: async (order) => server.take(order) }),
    async stop() {
      await server.drain(0)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
