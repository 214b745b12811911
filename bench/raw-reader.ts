// Reads the answer of one statement and throws it away unread, as fast as it comes; in a process of its own.
//
// Takes RawReaderOptions from the environment. Prints the bytes of the answer and the seconds it took, then waits for the end of its
// standard input.

import { ClientSession, type SessionTarget } from './client-session.ts'

export interface RawReaderOptions extends SessionTarget {
  readonly sql: string
}

const longestRunMs = 120_000
const options = JSON.parse(process.env['BENCH_OPTIONS'] ?? '{}') as RawReaderOptions

setTimeout(() => process.exit(1), longestRunMs).unref()
const session = await ClientSession.open(options)
const startedAt = performance.now()
const bytes = await session.query(options.sql)
console.log(`${bytes} ${(performance.now() - startedAt) / 1000}`)
session.close()
process.stdin.on('end', () => process.exit(0)).resume()
