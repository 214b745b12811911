import { PosternError } from '../base/errors.ts'
import { optionsHelp } from '../config/options-help.ts'

/** Commands that run a server. main.ts starts them; the CLI only explains them. */
export const SERVER_COMMANDS = {
  serve: 'Run everything: control plane, gateway, metadata store',
  demo: 'Run everything with a sample database to try',
  control: 'The control plane; `postern serve` starts it',
  gateway: 'A gateway worker; `postern serve` starts it',
  tunnels: 'The SSH tunnels; `postern serve` starts it when they are needed',
  migrate: 'Bring the metadata store up to date, then end',
  backup: 'Write the metadata to a file, while Postern runs or when it is stopped',
  restore: 'Make a data folder, or fill an empty metadata store, from a backup',
  'export-master-key': 'Write the master key to a file of its own',
} as const

export type ServerCommand = keyof typeof SERVER_COMMANDS

export function isServerCommand(name: string | undefined): name is ServerCommand {
  return name !== undefined && Object.hasOwn(SERVER_COMMANDS, name)
}

/** Options that one command has for itself, by flag; false: a switch. */
interface OwnOption {
  readonly takesFile: boolean
  readonly required: boolean
  readonly about: string
}

const OUT: OwnOption = { takesFile: true, required: true, about: 'File to write; it must not exist yet.' }

const OWN_OPTIONS: { readonly [Command in ServerCommand]?: Readonly<Record<string, OwnOption>> } = {
  backup: { '--out': OUT },
  'export-master-key': { '--out': OUT },
  restore: {
    '--in': { takesFile: true, required: true, about: 'Backup file.' },
    '--adopt-managed-instances': {
      takesFile: false,
      required: false,
      about: 'With an external store: the node of --data-dir takes over managed instances, whose own nodes are gone.',
    },
  },
}

/** What was given of a command's own options, and the flags that are left for the option table. */
export interface OwnFlags {
  /** Files by flag. Every required one is there. */
  readonly files: Readonly<Record<string, string>>
  readonly switches: ReadonlySet<string>
  readonly rest: readonly string[]
}

/**
 * Takes a command's own options, `--out FILE` or `--out=FILE`, from its flags.
 * @throws PosternError CONFIG_INVALID
 */
export function takeOwnFlags(command: ServerCommand, flags: readonly string[]): OwnFlags {
  const own = OWN_OPTIONS[command] ?? {}
  const files: Record<string, string> = {}
  const switches = new Set<string>()
  const rest: string[] = []
  for (let index = 0; index < flags.length; index++) {
    const flag = flags[index]!
    const [name = '', inline] = flag.split(/=(.*)/s)
    const option = own[name]
    if (option === undefined) rest.push(flag)
    else if (!option.takesFile) switches.add(name)
    else files[name] = inline ?? flags[++index] ?? ''
  }
  const missing = Object.keys(own).filter((name) => own[name]!.required && (files[name] ?? '') === '')
  if (missing.length > 0) {
    throw new PosternError('CONFIG_INVALID', `postern ${command} needs ${missing.join(' and ')} FILE.`, {
      hint: `Try \`postern ${command} --help\`.`,
    })
  }
  return { files, switches, rest }
}

/** `postern backup --out FILE`, for the reference page and the help. */
export function serverCommandUsage(command: ServerCommand): string {
  const own = Object.entries(OWN_OPTIONS[command] ?? {}).filter(([, option]) => option.required)
  return ['postern', command, ...own.map(([name]) => `${name} FILE`)].join(' ')
}

const helpWidth = 80
/** Where the descriptions of options start in {@link optionsHelp}. */
const descriptionColumn = 37

/** Help of a server command: its options are those of the option table. */
export function serverCommandHelp(command: ServerCommand): string {
  const own = Object.entries(OWN_OPTIONS[command] ?? {}).map(
    ([name, { takesFile, about }]) =>
      `  ${`${name}${takesFile ? ' <file>' : ''}`.padEnd(descriptionColumn - 3)} ${about}\n`,
  )
  const text = `Usage: ${serverCommandUsage(command)} [options]

${SERVER_COMMANDS[command]}.
${own.length === 0 ? '' : `\n${own.join('')}`}
Each option is also an environment variable (--http-port is POSTERN_HTTP_PORT)
and a key (httpPort) of the JSON file that --config or POSTERN_CONFIG names. A
flag wins over the environment, the environment over the file. They are
described in docs/reference/configuration.md.

${optionsHelp()}`
  return text.replace(/^ {2}--.*$/gm, wrapDescription)
}

function wrapDescription(line: string): string {
  const lines: string[] = []
  let current = line.slice(0, descriptionColumn)
  for (const word of line.slice(descriptionColumn).split(' ')) {
    if (current.length + word.length > helpWidth && current.trim() !== '') {
      lines.push(current.trimEnd())
      current = ' '.repeat(descriptionColumn)
    }
    current += `${word} `
  }
  return [...lines, current.trimEnd()].join('\n')
}
