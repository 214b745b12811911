import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { PosternError } from '../base/errors.ts'
import { checkConfig } from './check-config.ts'
import { Mistake } from './option-types.ts'
import { optionKeys, OPTIONS, type Config, type Option, type OptionKey } from './options.ts'
import { CONFIG_FILE_VARIABLE, readEnvironment, type Environment } from './read-environment.ts'
import { errnoOf, readConfigFile } from './read-file.ts'
import { readFlags } from './read-flags.ts'
import type { Setting } from './settings.ts'

export type { Config } from './options.ts'

/** Everything that options may come from. */
export interface ConfigInput {
  /** What stands behind the command: `--http-port 0 …`. */
  readonly argv: readonly string[]
  readonly environment: Environment
  /** Working folder: relative paths given by flag or environment start from it. */
  readonly cwd: string
  /** The command reads what is sealed and opens nothing: an external store is then enough, without its master key. */
  readonly opensNothing?: boolean
}

export interface ParsedConfig {
  readonly config: Config
  /** Where each value came from, for `config print`: a flag, a variable, a key in a file, or `default`. */
  readonly sources: Readonly<Record<OptionKey, string>>
}

/**
 * Reads the options of a process: flag > environment > file (`--config`, JSON) > default.
 * This is the only place that reads environment variables; `cloud-environment.ts` hands others on.
 * @throws PosternError CONFIG_INVALID with every mistake in its message, one line each
 */
export function parseConfig(input: ConfigInput): ParsedConfig {
  const flags = readFlags(input.argv, input.cwd)
  const environment = readEnvironment(input.environment, input.cwd)
  const configFile = flags.configFile ?? (input.environment[CONFIG_FILE_VARIABLE] || undefined)
  const file = configFile === undefined ? undefined : readConfigFile(resolve(input.cwd, configFile))

  const origins = [flags, environment, ...(file === undefined ? [] : [file])]
  const mistakes = origins.flatMap((origin) => origin.mistakes)
  const values: Partial<Record<OptionKey, unknown>> = {}
  const sources: Partial<Record<OptionKey, string>> = {}
  for (const key of optionKeys) {
    const setting =
      origins.flatMap((origin) => origin.settings).find((one) => one.key === key) ?? defaultSetting(key, input.cwd)
    sources[key] = setting?.source ?? 'default'
    const value = setting === undefined ? undefined : readSetting(setting)
    if (value instanceof Mistake) mistakes.push(`${setting!.source}: ${value.text}`)
    else values[key] = value
  }
  // Options contradict each other only if each is right by itself.
  if (mistakes.length === 0) mistakes.push(...checkConfig(values as Config, input))
  if (mistakes.length > 0) throw invalid(mistakes)
  return { config: Object.freeze(values as Config), sources: sources as Record<OptionKey, string> }
}

function defaultSetting(key: OptionKey, base: string): Setting | undefined {
  const { defaultText } = OPTIONS[key] as Option<unknown>
  if (defaultText === undefined) return undefined
  return { key, texts: [defaultText], isFileReference: false, source: 'default', base }
}

function readSetting({ key, texts, isFileReference, base }: Setting): unknown {
  const { type } = OPTIONS[key] as Option<unknown>
  const text = texts.join(',')
  if (!isFileReference) return type.read(text, base)
  let content: string
  try {
    content = readFileSync(resolve(base, text), 'utf8')
  } catch (cause) {
    return new Mistake(`${resolve(base, text)} cannot be read (${errnoOf(cause)})`)
  }
  // Editors and shells end a file with a newline that is not part of the secret.
  return type.read(content.replace(/\r?\n$/, ''), base)
}

function invalid(mistakes: readonly string[]): PosternError {
  const heading =
    mistakes.length === 1 ? 'The configuration has a mistake:' : `The configuration has ${mistakes.length} mistakes:`
  return new PosternError('CONFIG_INVALID', [heading, ...mistakes.map((mistake) => `  ${mistake}`)].join('\n'), {
    hint: 'Every option is described in docs/reference/configuration.md and by --help.',
  })
}
