import { CommanderError, type Command } from 'commander'
import { systemClock } from '../base/clock.ts'
import type { Cli } from './cli.ts'
import { CliError } from './cli-error.ts'
import { DEFAULT_HOST } from './endpoint.ts'
import type { Environment } from './environment.ts'
import { exitCode } from './exit-code.ts'
import { readProfile, requireProfileName } from './profile.ts'
import { buildProgram, type GlobalOptions } from './program.ts'
import { renderError } from './render-error.ts'
import { reportFailure } from './report-failure.ts'
import type { Terminal } from './terminal.ts'

/**
 * Runs one command line of the client commands.
 * @param argv what stands behind `postern`
 * @returns the exit status; every failure was shown
 */
export async function runCli(argv: readonly string[], environment: Environment, terminal: Terminal): Promise<number> {
  let status = 0
  const program = buildProgram(async (verb, input, options) => {
    const cli = {
      ...(await sharedOptions(environment, options)),
      environment,
      terminal,
      clock: systemClock,
    } satisfies Cli
    status = (await verb.run(cli, ...(input as never[]))) ?? 0
  })
  try {
    refuseSecretArguments(argv)
    await program.parseAsync(argv, { from: 'user' })
    return status
  } catch (thrown) {
    return thrown instanceof CommanderError
      ? explainUsage(commandNamed(program, argv), thrown, terminal)
      : reportFailure(thrown, environment, terminal)
  }
}

async function sharedOptions(
  environment: Environment,
  options: GlobalOptions,
): Promise<Pick<Cli, 'host' | 'caFile' | 'profile' | 'output'>> {
  const named = options.profile ?? (environment['POSTERN_PROFILE'] || undefined)
  const profile = named === undefined ? undefined : await readProfile(environment, requireProfileName(named))
  return {
    host: options.host ?? profile?.host ?? (environment['POSTERN_HOST'] || DEFAULT_HOST),
    caFile: options.caFile ?? profile?.caFile ?? (environment['POSTERN_CA_FILE'] || undefined),
    profile: named,
    output: options.output,
  }
}

const secretArgument = /^--(password|client-secret|secret|token|credential)(=|$)/

/** Refused by name, rather than as an unknown option, so that nobody goes on looking for the right spelling. */
function refuseSecretArguments(argv: readonly string[]): void {
  const end = argv.indexOf('--')
  const found = argv.slice(0, end < 0 ? undefined : end).map((argument) => secretArgument.exec(argument)?.[1])
  const name = found.find((each) => each !== undefined)
  if (name === undefined) return
  const hint =
    name === 'password'
      ? 'Leave it out to be asked, or give --password-file FILE (- for standard input).'
      : 'Give it in a file or by the environment; see docs/reference/cli.md.'
  throw new CliError(
    'caller',
    `--${name} is not taken: arguments show in the list of processes and in the shell's history`,
    { hint },
  )
}

/** As many words as are the name of a command: where the help is that answers a mistake. */
function commandNamed(command: Command, words: readonly string[]): Command {
  const next = words.findIndex((word) => command.commands.some((inner) => inner.name() === word))
  const inner = command.commands.find((each) => each.name() === words[next])
  return inner === undefined ? command : commandNamed(inner, words.slice(next + 1))
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`
}

/** Help that was asked for ends with 0. A mistake is one line, in our form, with the command to ask for help. */
function explainUsage(command: Command, error: CommanderError, terminal: Terminal): number {
  if (error.exitCode === 0) return 0
  // Commander has shown the help of a command that was given no verb.
  if (error.code === 'commander.help') return exitCode('caller')
  const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')
  const { text } = renderError(new CliError('caller', message, { hint: `See \`${fullName(command)} --help\`.` }))
  terminal.note(text)
  return exitCode('caller')
}
