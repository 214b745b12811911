import { Option, type Command } from 'commander'
import { ENGINE_CAPABILITIES, EngineName } from '../../../contract/engines.ts'
import { ChangedInstance } from '../../../contract/instances.ts'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { withAskedPassword } from '../../data-source/ask-password.ts'
import { withHostKeys } from '../../data-source/confirm-host-key.ts'
import { defineDataSourceOptions, type DataSourceOptions } from '../../data-source/data-source-options.ts'
import { missingOptions } from '../../data-source/missing-options.ts'
import { readDataSource, withoutUndefined, type DataSourceBody } from '../../data-source/read-data-source.ts'
import { connectionTestTimeoutMs, runConnectionTest } from '../../data-source/run-connection-test.ts'
import { showTestRemarks } from '../../data-source/show-test-remarks.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { waitForInstance } from '../../wait-for-instance.ts'
import { instanceFields } from './instance-fields.ts'
import { defineSettingOptions, readSettings, type SettingOptions } from './setting-options.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'create <instance>',
  summary: 'Register a database server, or make a Postgres that Postern runs itself',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--managed', 'a Postgres that Postern runs itself; takes no data source')
    .addOption(new Option('--engine <engine>', 'make of the database (default: postgres)').choices(EngineName.options))
  defineSettingOptions(command)
  defineDataSourceOptions(command)
  command
    .option('--validate-only', 'test the data source stage by stage and store nothing')
    .option('--skip-test', 'store it without a good connection test; it shows as not tested')
    .option('--wait', 'wait until the instance is AVAILABLE')
}

interface Options extends DataSourceOptions, SettingOptions {
  readonly managed?: true
  readonly engine?: EngineName
  readonly validateOnly?: true
  readonly skipTest?: true
  readonly wait?: true
}

async function run(cli: Cli, name: string, options: Options): Promise<number | void> {
  const api = await signedIn(cli)
  const adminDataSource = options.managed ? undefined : await external(cli, name, options)
  const body = adminDataSource
    ? withoutUndefined({
        kind: 'external',
        name,
        engine: options.engine,
        skipTest: options.skipTest,
        ...readSettings(options),
        adminDataSource,
      })
    : managed(name, options)
  const create = { method: 'POST', path: '/v1/instances', body } as const
  const bodies = adminDataSource ? [adminDataSource] : []
  if (options.validateOnly) return runConnectionTest(cli, api, { ...create, query: { validateOnly: true } }, bodies)
  const created = await withHostKeys(cli.terminal, bodies, () =>
    api.call({ ...create, answer: ChangedInstance, timeoutMs: connectionTestTimeoutMs }),
  )
  const instance = options.wait ? await waitForInstance(cli, api, name, 'AVAILABLE') : created
  const { connectionTest } = created
  showItem(cli, { ...instance, connectionTest }, instanceFields(instance))
  showTestRemarks(cli, connectionTest)
}

/** Options that mean something for a managed instance. */
const FOR_MANAGED = [
  'managed',
  'wait',
  'password',
  'title',
  'environment',
  'label',
  'externalLink',
  'syncInterval',
  'syncDatabase',
]

function managed(name: string, options: Options) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  const [stray] = given.map(([key]) => key).filter((key) => !FOR_MANAGED.includes(key))
  if (stray === undefined) return { kind: 'managed', name, ...readSettings(options) }
  const option = `--${stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  throw new CliError('caller', `${option} does not go with --managed`, {
    hint: 'Postern chooses where a managed instance runs.',
  })
}

async function external(cli: Cli, name: string, options: Options): Promise<DataSourceBody> {
  const engine = ENGINE_CAPABILITIES[options.engine ?? 'postgres']
  const missing = missingOptions(engine, options)
  if (missing.length > 0) {
    const orManaged = engine.gateway ? ' of the database, or --managed for one that Postern runs itself' : ''
    throw new CliError('caller', `where is ${name}, and who logs in?`, {
      hint: `Give ${missing.join(' and ')}${orManaged}.`,
    })
  }
  return withAskedPassword(cli, await readDataSource(cli.terminal, options), options)
}
