// Fuzzes everything that is read before a login: `npm run fuzz`, or with bounds `npm run fuzz -- --count 2000000 --seconds 120
// --sockets 5000 --seed 7`. Both parts end at the count or at the time, whichever comes first. The seed is printed, and what
// breaks a promise names the seed of its own input. Exit code 0: nothing was found.

import { parseArgs } from 'node:util'
import { runParsers } from './run-parsers.ts'
import { runSockets } from './run-sockets.ts'

const number = { type: 'string' } as const
const { values } = parseArgs({ options: { count: number, seconds: number, sockets: number, seed: number } })
const count = Number(values.count ?? 2_000_000)
const seconds = Number(values.seconds ?? 120)
const sockets = Number(values.sockets ?? 4_000)
const seed = Number(values.seed ?? Date.now() % 1_000_000)

console.log(`seed ${seed}`)
console.log('parsers', await runParsers({ seed, count, seconds }))
for (const transport of ['bun', 'node']) {
  console.log(`sockets of ${transport}`, await runSockets({ seed, count: sockets / 2, seconds, transport }))
}
