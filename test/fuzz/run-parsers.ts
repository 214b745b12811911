import { type FuzzedParser, fuzzedParsers } from './parsers.ts'
import { Random } from './random.ts'

/** What a run of the parsers came to. */
interface ParserRun {
  readonly inputs: Readonly<Record<string, number>>
  readonly total: number
  readonly elapsedMs: number
  /** Growth of the process's memory over the run. */
  readonly grownBytes: number
}

/** More than this is not garbage that waits for its collector any more. */
const grownMaxBytes = 256 * 1024 * 1024

/**
 * Feeds the parsers until the count or the time is over.
 * @throws Error that names the parser and the seed of the one input that broke a promise
 */
export async function runParsers(options: { seed: number; count: number; seconds: number }): Promise<ParserRun> {
  const parsers = await fuzzedParsers()
  const inputs: Record<string, number> = Object.fromEntries(parsers.map(({ name }) => [name, 0]))
  const startedAt = performance.now()
  const before = process.memoryUsage.rss()
  const choice = new Random(options.seed)
  let total = 0
  while (total < options.count && performance.now() - startedAt < options.seconds * 1000) {
    // Each input has a seed of its own, so that it alone can be repeated.
    const seed = choice.int(2 ** 32)
    const parser = choose(parsers, choice.int(100))
    try {
      await parser.run(new Random(seed))
    } catch (cause) {
      throw new Error(`${parser.name}, input seed ${seed}: ${(cause as Error).message}`, { cause })
    }
    inputs[parser.name] = (inputs[parser.name] ?? 0) + 1
    total++
  }
  const grownBytes = process.memoryUsage.rss() - before
  if (grownBytes > grownMaxBytes) throw new Error(`the parsers kept ${grownBytes} bytes`)
  return { inputs, total, elapsedMs: performance.now() - startedAt, grownBytes }
}

function choose(parsers: readonly FuzzedParser[], percent: number): FuzzedParser {
  let rest = percent
  for (const parser of parsers) {
    if (rest < parser.share) return parser
    rest -= parser.share
  }
  return parsers[0] as FuzzedParser
}
