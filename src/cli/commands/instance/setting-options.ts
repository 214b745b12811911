import { InvalidArgumentError, Option, type Command } from 'commander'
import { ManageMode } from '../../../contract/engines.ts'
import { durationSeconds } from '../../option-values.ts'
import { withoutUndefined } from '../../data-source/read-data-source.ts'

/** Options that say what an instance is called, where it belongs, and how its catalogue is kept. */
export interface SettingOptions {
  readonly title?: string
  readonly environment?: string
  readonly label?: Readonly<Record<string, string>>
  readonly externalLink?: string
  readonly manageMode?: ManageMode
  readonly syncInterval?: number | 'never'
  readonly syncDatabase?: readonly string[]
}

export function defineSettingOptions(command: Command): void {
  command
    .option('--title <text>', 'title for people')
    .option('--environment <name>', 'for example prod, staging or test')
    .option('--label <key=value>', 'label; may be given several times, and replaces all that there are', readLabel)
    .option('--external-link <url>', 'where its provider shows it')
    .addOption(new Option('--manage-mode <mode>', 'Oracle: what is taken for a database').choices(ManageMode.options))
    .option(
      '--sync-interval <duration>',
      'how often its catalogue is read again, for example 12h, or never',
      readInterval,
    )
    .option(
      '--sync-database <name>',
      'database whose catalogue is read; may be given several times (default: all)',
      collect,
    )
}

/** The given ones as the API names them. */
export function readSettings(options: SettingOptions) {
  return withoutUndefined({
    title: options.title,
    environment: options.environment,
    labels: options.label,
    externalLink: options.externalLink,
    manageMode: options.manageMode,
    syncIntervalSeconds: options.syncInterval === 'never' ? null : options.syncInterval,
    syncDatabases: options.syncDatabase,
  })
}

function readLabel(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [key = '', ...value] = text.split('=')
  if (value.length === 0) throw new InvalidArgumentError('It must be of the form key=value.')
  return { ...before, [key]: value.join('=') }
}

function readInterval(text: string): number | 'never' {
  return text === 'never' ? text : durationSeconds(text)
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
