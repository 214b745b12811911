import { optionKeys, OPTIONS, type Option, type OptionKey } from './options.ts'
import type { ParsedConfig } from './parse-config.ts'

/** One line of `postern config print`. */
export interface ConfigLine {
  readonly key: OptionKey
  /** Secrets as `[secret]`, options without a value as null. */
  readonly value: string | number | boolean | readonly string[] | null
  /** A flag, a variable, a key in a file, or `default`. */
  readonly source: string
}

/** Every option with its value and where it came from, secrets hidden: for `--output json`. */
export function configLines({ config, sources }: ParsedConfig): readonly ConfigLine[] {
  return optionKeys.map((key) => {
    const value = config[key]
    const isSecret = (OPTIONS[key] as Option<unknown>).type.isSecret === true
    const shown = value === undefined ? null : isSecret ? '[secret]' : (value as ConfigLine['value'])
    return { key, value: shown, source: sources[key] }
  })
}

/** {@link configLines} as text, one option per line. */
export function printConfig(parsed: ParsedConfig): string {
  const width = Math.max(...optionKeys.map((key) => key.length))
  return configLines(parsed)
    .map(
      ({ key, value, source }) =>
        `${key.padEnd(width)}  ${value === null ? '-' : JSON.stringify(value)}  # ${source}\n`,
    )
    .join('')
}
