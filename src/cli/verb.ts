import type { Command } from 'commander'
import type { Cli } from './cli.ts'

/** One verb of the command line: what each file under commands/ exports as `verb`. */
export interface Verb {
  /** Name and positional arguments as commander writes them: `get <instance>`. */
  readonly usage: string
  /** Another word that people try for it. */
  readonly alias?: string
  /** One sentence for the help. */
  readonly summary: string
  /** Declares options and further help. */
  define?(command: Command): void
  /**
   * Does it. The input is what commander hands over: the positional arguments, then the options.
   * @returns the exit status where it is not 0
   */
  run(cli: Cli, ...input: never[]): Promise<number | void>
}

/** Verbs about one thing: `postern <noun> <verb>`. A noun of a noun is one more word. */
export interface Noun {
  readonly name: string
  readonly summary: string
  readonly verbs: readonly Verb[]
  readonly nouns?: readonly Noun[]
}
