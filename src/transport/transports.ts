import { bunTransport } from './bun/bun-transport.ts'
import type { Transport } from './byte-socket.ts'
import { nodeTransport } from './node/node-transport.ts'

/** Every implementation of sockets, by its name in the option `gatewayTransport`. */
export const transports: Readonly<Record<Transport['name'], Transport>> = { bun: bunTransport, node: nodeTransport }
