import { nearestName } from './nearest-name.ts'
import { flagName, type Option, optionKeys, type OptionKey, OPTIONS } from './options.ts'
import type { Setting, Settings } from './settings.ts'

/** What the command line says: its settings, and the configuration file that it names. */
export interface Flags extends Settings {
  readonly configFile: string | undefined
}

interface FlagMeaning {
  readonly key: OptionKey | 'config'
  readonly isSwitch: boolean
  readonly isList: boolean
  readonly form: 'value' | 'negated' | 'file'
}

/**
 * Reads `--flag value`, `--flag=value`, `--switch` and `--no-switch`.
 * @param argv what stands behind the command
 */
export function readFlags(argv: readonly string[], base: string): Flags {
  const mistakes: string[] = []
  const given = new Map<OptionKey, Setting>()
  let configFile: string | undefined
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!
    const [name, inlineValue] = splitOnce(argument, '=')
    const meaning = flags.get(name)
    if (meaning === undefined) {
      mistakes.push(unknownFlag(argument, name))
      // The value of an unknown flag is not a second mistake.
      if (inlineValue === undefined && argument.startsWith('--') && argv[index + 1]?.startsWith('--') === false) index++
      continue
    }
    let text = inlineValue
    if (meaning.isSwitch) text ??= 'true'
    else if (text === undefined && argv[index + 1]?.startsWith('--') === false) text = argv[++index]
    if (text === undefined || (text === '' && !meaning.isList)) {
      mistakes.push(`${name}: needs a value`)
      continue
    }
    if (meaning.form === 'negated') {
      if (inlineValue !== undefined) mistakes.push(`${name}: takes no value`)
      text = 'false'
    }
    if (meaning.key === 'config') {
      if (configFile !== undefined) mistakes.push('--config: given twice')
      configFile = text
      continue
    }
    const earlier = given.get(meaning.key)
    if (earlier !== undefined && !meaning.isList) mistakes.push(`${name}: given twice`)
    const texts = [...(earlier?.texts ?? []), text]
    given.set(meaning.key, { key: meaning.key, texts, isFileReference: meaning.form === 'file', source: name, base })
  }
  return { settings: [...given.values()], mistakes, configFile }
}

const flags: ReadonlyMap<string, FlagMeaning> = new Map<string, FlagMeaning>([
  ['--config', { key: 'config', isSwitch: false, isList: false, form: 'value' }],
  ...optionKeys.flatMap((key): [string, FlagMeaning][] => {
    const { isSwitch = false, isList = false, isSecret = false } = (OPTIONS[key] as Option<unknown>).type
    const flag = flagName(key)
    if (isSecret) return [[`${flag}-file`, { key, isSwitch, isList, form: 'file' }]]
    const positive: [string, FlagMeaning] = [flag, { key, isSwitch, isList, form: 'value' }]
    if (!isSwitch) return [positive]
    return [positive, [flag.replace('--', '--no-'), { key, isSwitch, isList, form: 'negated' }]]
  }),
])

function unknownFlag(argument: string, name: string): string {
  if (!argument.startsWith('--')) return `${JSON.stringify(argument)}: is not an option`
  const secretKey = optionKeys.find((key) => flagName(key) === name)
  if (secretKey !== undefined) {
    return `${name}: a secret on the command line shows in the list of processes; give ${name}-file, or the environment variable`
  }
  const meant = nearestName(name, [...flags.keys()])
  return `${name}: unknown option${meant === undefined ? '' : `; did you mean ${meant}?`}`
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}
