import type { Command } from 'commander'
import { ConnectionReport, Instance } from '../../../contract/instances.ts'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { showItem } from '../../output.ts'
import { readSecret } from '../../read-secret.ts'
import { signedIn } from '../../sign-in.ts'
import { waitForInstance } from '../../wait-for-instance.ts'
import { defineDataSourceOptions, readDataSourceOptions, type DataSourceOptions } from './data-source-options.ts'
import { instanceFields } from './instance-fields.ts'
import { showConnectionReport } from './show-connection-report.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'create <instance>',
  summary: 'Register an external Postgres, or make one that Postern runs itself',
  define,
  run,
}

function define(command: Command): void {
  command.option('--managed', 'a Postgres that Postern runs itself; takes no data source')
  defineDataSourceOptions(command)
  command
    .option('--validate-only', 'test the data source stage by stage and store nothing')
    .option('--wait', 'wait until the instance is AVAILABLE')
}

interface Options extends DataSourceOptions {
  readonly managed?: true
  readonly validateOnly?: true
  readonly wait?: true
}

/** The server tests the data source before it stores it: name, TCP, TLS, login and privileges, each with its own limit. */
const connectionTestTimeoutMs = 120_000

async function run(cli: Cli, name: string, options: Options): Promise<number | void> {
  const api = await signedIn(cli)
  const body = options.managed ? managed(name, options) : await external(cli, name, options)
  const create = { method: 'POST', path: '/v1/instances', body, timeoutMs: connectionTestTimeoutMs } as const
  if (options.validateOnly) {
    const report = await api.call({ ...create, query: { validateOnly: true }, answer: ConnectionReport })
    showConnectionReport(cli, report)
    if (!report.ok)
      throw new CliError('upstream', `the connection test of ${name} failed`, {
        hint: 'Correct what the failed stage names.',
      })
    return
  }
  const created = await api.call({ ...create, answer: Instance })
  const instance = options.wait ? await waitForInstance(cli, api, name, 'AVAILABLE') : created
  showItem(cli, instance, instanceFields(instance))
}

function managed(name: string, options: Options) {
  const { managed: _, wait: __, ...others } = options
  const [stray] = Object.keys(others)
  if (stray === undefined) return { kind: 'managed', name }
  const option = `--${stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  throw new CliError('caller', `${option} does not go with --managed`, {
    hint: 'Postern chooses where a managed instance runs.',
  })
}

async function external(cli: Cli, name: string, options: Options) {
  if (options.hostName === undefined || options.username === undefined) {
    throw new CliError('caller', `where is ${name}?`, {
      hint: 'Give --host-name and --username of an external Postgres, or --managed for one that Postern runs itself.',
    })
  }
  const adminDataSource = await readDataSourceOptions(options)
  const question = `Password of ${options.username} at ${options.hostName}: `
  const password = await readSecret(cli.terminal, options.passwordFile, question, '--password-file')
  return { kind: 'external', name, adminDataSource: { ...adminDataSource, password: password.reveal() } }
}
