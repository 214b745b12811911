// Opens sessions through one way and keeps them, or opens and closes them as fast as they come; in a process of its own, so that
// the sessions' client side is not in the figures.
//
// Takes SessionClientOptions from the environment. Prints `open` and the number of sessions, then waits for the end of its standard input.

import { ClientSession, type SessionTarget } from './client-session.ts'

export interface SessionClientOptions extends SessionTarget {
  readonly sessions: number
  /** False: each session ends as soon as it is open and had one answer. */
  readonly stay: boolean
}

const parallel = 8
/** No measurement takes so long: a server that does not answer must not hold up the bench. */
const longestRunMs = 180_000
const options = JSON.parse(process.env['BENCH_OPTIONS'] ?? '{}') as SessionClientOptions

setTimeout(() => process.exit(1), longestRunMs).unref()
let begun = 0
await Promise.all(
  Array.from({ length: parallel }, async () => {
    while (begun < options.sessions) {
      begun += 1
      const session = await ClientSession.open(options)
      // A pooler takes an upstream session at the first query only.
      await session.query('select 1')
      if (!options.stay) session.close()
    }
  }),
)
console.log(`open ${options.sessions}`)
process.stdin.on('end', () => process.exit(0)).resume()
