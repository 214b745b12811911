import { flagName, optionKeys, OPTIONS, type Option, type OptionGroup } from './options.ts'

/** The options as a help text shows them, grouped, one or two lines each. */
export function optionsHelp(): string {
  const groups = [...new Set(optionKeys.map((key) => OPTIONS[key].group))]
  return groups.map((group) => `${group}:\n${groupHelp(group)}`).join('\n')
}

function groupHelp(group: OptionGroup): string {
  return optionKeys
    .filter((key) => OPTIONS[key].group === group)
    .map((key) => {
      const { type, defaultText, about } = OPTIONS[key] as Option<unknown>
      const flag =
        type.isSecret === true
          ? `${flagName(key)}-file <path>`
          : `${flagName(key)}${type.isSwitch === true ? '' : ' <value>'}`
      const firstSentence = about.replace(/(?<=\.) .*/s, '')
      const standard = defaultText === undefined || defaultText === '' ? '' : ` (default: ${defaultText})`
      return `  ${flag.padEnd(34)} ${firstSentence}${standard}\n`
    })
    .join('')
}
