/** What the `options` startup parameter says about routing, and what is left of it for the database. */
export type StartupOptions =
  | {
      readonly kind: 'options'
      /** The named instance, or undefined when the options name none. */
      readonly endpoint: string | undefined
      /** The options without ours, byte for byte as the client escaped them; empty when nothing is left. */
      readonly forwarded: string
    }
  /** Two different instances are named. */
  | { readonly kind: 'conflict'; readonly endpoints: readonly string[] }

interface Word {
  /** As sent, escapes included. */
  readonly raw: string
  readonly value: string
}

const ENDPOINT = 'endpoint='
const SETTING = 'postern.instance='

/**
 * Takes the name of the instance out of the `options` startup parameter. Three forms name it: the bare word
 * `endpoint=NAME`, `-c postern.instance=NAME` (also without the space) and `--postern.instance=NAME`.
 * The same name given twice is fine. An empty name names nothing but is still taken out.
 *
 * @param options a command line as Postgres reads it: words between white space, a backslash takes the next character literally
 * @see pg_split_opts in src/backend/utils/init/postinit.c
 */
export function parseStartupOptions(options: string): StartupOptions {
  const words = splitWords(options)
  const kept: string[] = []
  const endpoints = new Set<string>()
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as Word
    const argument = word.value === '-c' ? words[i + 1] : undefined
    const named = argument === undefined ? endpointOf(word.value) : settingOf(argument.value)
    if (named) endpoints.add(named)
    if (named === undefined) kept.push(word.raw)
    if (argument !== undefined) {
      // The word after -c is its argument whatever it looks like: `-c endpoint=x` is a setting, not a route.
      if (named === undefined) kept.push(argument.raw)
      i++
    }
  }
  if (endpoints.size > 1) return { kind: 'conflict', endpoints: [...endpoints] }
  const [endpoint] = endpoints
  return { kind: 'options', endpoint, forwarded: kept.length === words.length ? options : kept.join(' ') }
}

function endpointOf(word: string): string | undefined {
  if (word.startsWith(ENDPOINT)) return word.slice(ENDPOINT.length)
  return word.startsWith('-c') || word.startsWith('--') ? settingOf(word.slice(2)) : undefined
}

function settingOf(argument: string): string | undefined {
  return argument.startsWith(SETTING) ? argument.slice(SETTING.length) : undefined
}

/** isspace() of the C locale. */
const WHITE_SPACE = ' \t\n\v\f\r'

function splitWords(options: string): Word[] {
  const words: Word[] = []
  let at = 0
  while (at < options.length) {
    if (WHITE_SPACE.includes(options.charAt(at))) {
      at++
      continue
    }
    const start = at
    let value = ''
    while (at < options.length && !WHITE_SPACE.includes(options.charAt(at))) {
      if (options.charAt(at) === '\\') at++
      value += options.charAt(at++)
    }
    words.push({ raw: options.slice(start, at), value })
  }
  return words
}
