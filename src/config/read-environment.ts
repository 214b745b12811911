import { editDistance } from './nearest-name.ts'
import { environmentName, optionKeys, OPTIONS, type Option } from './options.ts'
import type { Setting, Settings } from './settings.ts'

/** Environment variables by name. An empty one counts as absent, as compose files leave them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The variable that names the configuration file when `--config` does not. */
export const CONFIG_FILE_VARIABLE = 'POSTERN_CONFIG'

/** What the `POSTERN_…` variables say, mistakes included; a variable that ends in `_FILE` names a file that holds a secret. */
export function readEnvironment(environment: Environment, base: string): Settings {
  const settings: Setting[] = []
  const mistakes: string[] = []
  const known = new Set<string>([CONFIG_FILE_VARIABLE])
  for (const key of optionKeys) {
    const name = environmentName(key)
    known.add(name)
    const value = environment[name] || undefined
    if (value !== undefined) settings.push({ key, texts: [value], isFileReference: false, source: name, base })
    if ((OPTIONS[key] as Option<unknown>).type.isSecret !== true) continue
    known.add(`${name}_FILE`)
    const file = environment[`${name}_FILE`] || undefined
    if (file === undefined) continue
    if (value !== undefined) mistakes.push(`${name}: given together with ${name}_FILE; give one of them`)
    else settings.push({ key, texts: [file], isFileReference: true, source: `${name}_FILE`, base })
  }
  return { settings, mistakes: [...mistakes, ...misspelt(environment, known)] }
}

/**
 * Only what is nearly one of our names is a mistake: orchestrators put variables of their own beside ours (a Kubernetes service
 * called `postern` yields `POSTERN_PORT`), and other commands have theirs.
 */
function misspelt(environment: Environment, known: ReadonlySet<string>): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('POSTERN_') && !known.has(name))
    .flatMap((name) => {
      const meant = [...known].find((one) => editDistance(name, one) <= 2)
      return meant === undefined ? [] : [`${name}: unknown environment variable; did you mean ${meant}?`]
    })
}
