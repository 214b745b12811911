import { optionsHelp } from '../config/options-help.ts'

/** Commands that run a server. main.ts starts them; the CLI only explains them. */
export const SERVER_COMMANDS = {
  serve: 'Run everything: control plane, gateway, metadata store',
  demo: 'Run everything with a sample database to try',
  control: 'The control plane; `postern serve` starts it',
  gateway: 'A gateway worker; `postern serve` starts it',
  migrate: 'Bring the metadata store up to date, then end',
} as const

export type ServerCommand = keyof typeof SERVER_COMMANDS

export function isServerCommand(name: string | undefined): name is ServerCommand {
  return name !== undefined && Object.hasOwn(SERVER_COMMANDS, name)
}

const helpWidth = 80
/** Where the descriptions of options start in {@link optionsHelp}. */
const descriptionColumn = 37

/** Help of a server command: its options are those of the option table. */
export function serverCommandHelp(command: ServerCommand): string {
  const text = `Usage: postern ${command} [options]

${SERVER_COMMANDS[command]}.

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
