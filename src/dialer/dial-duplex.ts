import type { Duplex } from 'node:stream'
import { toDuplex } from '../transport/duplex.ts'
import type { DataSourceRoute } from './data-source-route.ts'
import { dial, type DialOptions } from './dial.ts'

/** {@link dial} for drivers that read and write a stream of Node: TLS, if any, is already done. */
export async function dialDuplex(route: DataSourceRoute, options: DialOptions): Promise<Duplex> {
  return toDuplex(await dial(route, options))
}
