import { Command, Option } from 'commander'
import { nouns, verbs } from './commands/index.ts'
import { productVersion } from './product-version.ts'
import { DEFAULT_HOST } from './endpoint.ts'
import { SERVER_COMMANDS, serverCommandHelp, type ServerCommand } from './server-commands.ts'
import type { Noun, Verb } from './verb.ts'

/** Options that every command takes, before or after its own. */
export interface GlobalOptions {
  readonly host?: string
  readonly caFile?: string
  readonly profile?: string
  readonly output: 'table' | 'json'
}

/** Called for the verb that the command line names. */
type RunVerb = (verb: Verb, input: unknown[], options: GlobalOptions) => Promise<void>

/** The command tree. The reference page docs/reference/cli.md is generated from it. */
export function buildProgram(runVerb: RunVerb): Command {
  const program = new Command('postern')
    .description(
      'The one guarded door to every database: connect a database once, sign in as yourself with a one-hour credential.',
    )
    .configureHelp({ showGlobalOptions: true, subcommandTerm, optionDescription })
    .version(productVersion, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .helpOption('-h, --help', 'show this help')
    .addOption(new Option('--host <url>', `control plane (default: ${DEFAULT_HOST})`))
    .addOption(new Option('--ca-file <file>', 'PEM file of the authorities to trust for https'))
    .addOption(new Option('--profile <name>', 'control plane and sign-in that `postern login --profile` named so'))
    .addOption(new Option('-o, --output <format>', 'format of the answer').choices(['table', 'json']).default('table'))
    .addHelpText('after', '\nEvery command has --help. Exit codes and variables: docs/reference/cli.md')

  program.commandsGroup('Server:')
  for (const name of Object.keys(SERVER_COMMANDS) as ServerCommand[]) addServerCommand(program, name)
  program.commandsGroup('Sign in and connect:')
  for (const verb of verbs) addVerb(program, verb, runVerb)
  program.helpCommand('help [command]', 'Show the help of a command')
  program.commandsGroup('Manage:')
  for (const noun of nouns) addNoun(program, noun, runVerb)
  return program
}

/** In the overview the name alone, below it the arguments too; the options are on the page of each command. */
function subcommandTerm(command: Command): string {
  const names = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}...` : argument.name()
    return argument.required ? ` <${name}>` : ` [${name}]`
  })
  return command.parent?.parent ? command.name() + names.join('') : command.name()
}

function optionDescription({ description, argChoices, defaultValue }: Option): string {
  const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`
  return `${description}${choices}${defaultValue === undefined || defaultValue === true ? '' : ` (default: ${defaultValue})`}`
}

function addServerCommand(program: Command, name: ServerCommand): void {
  const command = program.command(name).usage('[options]').description(SERVER_COMMANDS[name])
  command.helpInformation = () => serverCommandHelp(name)
}

function addNoun(parent: Command, noun: Noun, runVerb: RunVerb): void {
  const command = parent.command(noun.name).description(noun.summary).helpCommand(false)
  for (const verb of noun.verbs) addVerb(command, verb, runVerb)
  for (const inner of noun.nouns ?? []) addNoun(command, inner, runVerb)
}

function addVerb(parent: Command, verb: Verb, runVerb: RunVerb): void {
  const command = parent.command(verb.usage).description(verb.summary)
  if (verb.alias !== undefined) command.alias(verb.alias)
  verb.define?.(command)
  command.action((...input: unknown[]) => runVerb(verb, input.slice(0, -1), command.optsWithGlobals<GlobalOptions>()))
}
