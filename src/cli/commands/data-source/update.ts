import type { Command } from 'commander'
import { ChangedInstance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { withHostKeys } from '../../data-source/confirm-host-key.ts'
import { dataSourceFields } from '../../data-source/data-source-fields.ts'
import {
  defineDataSourceOptions,
  defineRemovals,
  type DataSourceOptions,
} from '../../data-source/data-source-options.ts'
import { readChange } from '../../data-source/read-change.ts'
import { withoutUndefined } from '../../data-source/read-data-source.ts'
import { connectionTestTimeoutMs, runConnectionTest } from '../../data-source/run-connection-test.ts'
import { showTestRemarks } from '../../data-source/show-test-remarks.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'update <instance> <data-source>',
  summary: 'Change a data source; options that are not given stay as they are',
  define,
  run,
}

function define(command: Command): void {
  command.option('--title <text>', 'title for people')
  defineDataSourceOptions(command)
  defineRemovals(command)
  command
    .option('--etag <etag>', 'refuse the change if the instance has another etag by now')
    .option('--validate-only', 'test what it would be and store nothing')
    .option('--skip-test', 'store it without a good connection test')
}

interface Options extends DataSourceOptions {
  readonly title?: string
  readonly askPassword?: true
  readonly etag?: string
  readonly validateOnly?: true
  readonly skipTest?: true
}

async function run(cli: Cli, instanceName: string, name: string, options: Options): Promise<void> {
  const api = await signedIn(cli)
  const change = await readChange(cli, `data source ${name} of ${instanceName}`, options)
  const { etag, skipTest, title } = options
  if (Object.keys(change).length === 0 && title === undefined) {
    throw new CliError('caller', `nothing to change on ${name}`, { hint: 'Add --help to see what can be changed.' })
  }
  const request = { method: 'PATCH', path: path`/v1/instances/${instanceName}/dataSources/${name}` } as const
  const body = withoutUndefined({ ...change, title, etag, skipTest })
  if (options.validateOnly) {
    return runConnectionTest(cli, api, { ...request, query: { validateOnly: true }, body }, [change])
  }
  const instance = await withHostKeys(cli.terminal, [change], () =>
    api.call({ ...request, body, answer: ChangedInstance, timeoutMs: connectionTestTimeoutMs }),
  )
  const changed = instance.dataSources.find((source) => source.name === name || source.id === name)
  if (changed === undefined) throw new CliError('internal', 'the answer does not hold the data source')
  const { connectionTest } = instance
  showItem(cli, { ...changed, connectionTest }, dataSourceFields(changed))
  showTestRemarks(cli, connectionTest)
}
