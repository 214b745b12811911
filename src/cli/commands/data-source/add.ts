import type { Command } from 'commander'
import { ChangedInstance, Instance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { withAskedPassword } from '../../data-source/ask-password.ts'
import { withHostKeys } from '../../data-source/confirm-host-key.ts'
import { dataSourceFields } from '../../data-source/data-source-fields.ts'
import { defineDataSourceOptions, type DataSourceOptions } from '../../data-source/data-source-options.ts'
import { likeAdmin } from '../../data-source/like-admin.ts'
import { readDataSource, withoutUndefined } from '../../data-source/read-data-source.ts'
import { connectionTestTimeoutMs, runConnectionTest } from '../../data-source/run-connection-test.ts'
import { showTestRemarks } from '../../data-source/show-test-remarks.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'add <instance> [data-source]',
  summary: 'Add a read-only data source: another user, or a replica with its own host and port',
  define,
  run,
}

function define(command: Command): void {
  command.option('--title <text>', 'title for people')
  defineDataSourceOptions(command)
  command
    .option('--etag <etag>', 'refuse it if the instance has another etag by now')
    .option('--validate-only', 'test it stage by stage and store nothing')
    .option('--skip-test', 'store it without a good connection test; it shows as not tested')
  command.addHelpText(
    'after',
    '\nWhat is not given is taken over from the admin data source: host and port, database, TLS mode and\nauthority, engine fields. With a host or port of its own it is a replica and has a TLS mode of its own.',
  )
}

interface Options extends DataSourceOptions {
  readonly title?: string
  readonly etag?: string
  readonly validateOnly?: true
  readonly skipTest?: true
}

async function run(cli: Cli, instanceName: string, name: string | undefined, options: Options): Promise<void> {
  const api = await signedIn(cli)
  const before = await api.call({ method: 'GET', path: path`/v1/instances/${instanceName}`, answer: Instance })
  const admin = before.dataSources.find(({ type }) => type === 'admin')
  const given = await readDataSource(cli.terminal, options)
  const same = admin ? likeAdmin(admin, options) : {}
  if (admin !== undefined && admin.ssh.length > 0 && options.ssh === undefined && options.hostName === undefined) {
    cli.terminal.note(
      'The admin data source goes through SSH. This one goes straight there, unless you give --ssh too.',
    )
  }
  const dataSource = await withAskedPassword(cli, { ...same, ...given }, { ...options, engine: before.engine })
  const { etag, skipTest, title } = options
  const request = { method: 'POST', path: path`/v1/instances/${instanceName}/dataSources` } as const
  const body = () => withoutUndefined({ ...dataSource, name, title, etag, skipTest })
  if (options.validateOnly) {
    const test = { ...request, query: { validateOnly: true }, body: body() }
    return runConnectionTest(cli, api, test, [dataSource])
  }
  const instance = await withHostKeys(cli.terminal, [dataSource], () =>
    api.call({ ...request, body: body(), answer: ChangedInstance, timeoutMs: connectionTestTimeoutMs }),
  )
  const known = new Set(before.dataSources.map(({ id }) => id))
  const added = instance.dataSources.find(({ id }) => !known.has(id))
  if (added === undefined) throw new CliError('internal', `the answer does not hold the new data source`)
  const { connectionTest } = instance
  showItem(cli, { ...added, connectionTest }, dataSourceFields(added))
  showTestRemarks(cli, connectionTest)
}
