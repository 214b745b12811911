import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { nearestName } from './nearest-name.ts'
import { optionKeys, OPTIONS, type Option, type OptionKey } from './options.ts'
import type { Setting, Settings } from './settings.ts'

/**
 * Reads a configuration file: one JSON object whose keys are the option names, secrets also as `<key>File`.
 * Relative paths in it start from its own folder.
 * @param file absolute path
 */
export function readConfigFile(file: string): Settings {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    // The parser's text quotes the file, which may hold secrets.
    const problem = cause instanceof SyntaxError ? 'is not valid JSON' : `cannot be read (${errnoOf(cause)})`
    return { settings: [], mistakes: [`${file}: ${problem}`] }
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return { settings: [], mistakes: [`${file}: must hold one JSON object`] }
  }
  const mistakes: string[] = []
  const given = new Map<OptionKey, Setting>()
  for (const [name, value] of Object.entries(content)) {
    const source = `${name} in ${file}`
    const meaning = keys.get(name)
    if (meaning === undefined) {
      const meant = nearestName(name, [...keys.keys()])
      mistakes.push(`${source}: unknown key${meant === undefined ? '' : `; did you mean ${meant}?`}`)
      continue
    }
    const { key, isFileReference } = meaning
    const texts = textsOf(value, (OPTIONS[key] as Option<unknown>).type.isList === true)
    if (texts === undefined) mistakes.push(`${source}: must be ${(OPTIONS[key] as Option<unknown>).type.shape}`)
    else if (given.has(key)) mistakes.push(`${source}: given together with ${given.get(key)!.source}; give one of them`)
    else given.set(key, { key, texts, isFileReference, source, base: dirname(file) })
  }
  return { settings: [...given.values()], mistakes }
}

const keys: ReadonlyMap<string, { readonly key: OptionKey; readonly isFileReference: boolean }> = new Map(
  optionKeys.flatMap((key) => {
    const plain = [key, { key, isFileReference: false }] as [string, { key: OptionKey; isFileReference: boolean }]
    const isSecret = (OPTIONS[key] as Option<unknown>).type.isSecret === true
    return isSecret ? [plain, [`${key}File`, { key, isFileReference: true }]] : [plain]
  }),
)

function textsOf(value: unknown, isList: boolean): readonly string[] | undefined {
  if (isList) return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? [String(value)]
    : undefined
}

/** The errno name of a failed system call, such as ENOENT; `error` when there is none. */
export function errnoOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code
  return typeof code === 'string' ? code : 'unknown error'
}
