import { Option, type Command } from 'commander'
import { ChangedInstance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { withHostKeys } from '../../data-source/confirm-host-key.ts'
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
import { instanceFields } from './instance-fields.ts'
import { defineSettingOptions, readSettings, type SettingOptions } from './setting-options.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'update <instance>',
  summary: 'Change an instance and its admin data source; options that are not given stay as they are',
  define,
  run,
}

function define(command: Command): void {
  defineSettingOptions(command)
  defineDataSourceOptions(command)
  defineRemovals(command)
  command
    .addOption(onOff('--native-login <on|off>', 'login by Postgres role and password'))
    .option('--native-login-role <names...>', 'roles that may although they are superusers or users of a data source')
    .option('--no-native-login-role', 'none of these any more')
    .addOption(onOff('--access-token-login <on|off>', 'access tokens of the workspace as passwords'))
    .addOption(onOff('--end-sessions-on-revocation <on|off>', 'end open sessions when access is taken away'))
    .option('--etag <etag>', 'refuse the change if the instance has another etag by now')
    .option('--validate-only', 'test what it would be and store nothing')
    .option('--skip-test', 'store it without a good connection test')
  command.addHelpText(
    'after',
    '\nA new host, port, user, TLS or SSH setting needs the secrets again:\na stored secret is never sent to a new place.',
  )
}

type OnOff = 'on' | 'off'

function onOff(flags: string, description: string): Option {
  return new Option(flags, description).choices(['on', 'off'])
}

function isOn(choice: OnOff | undefined): boolean | undefined {
  return choice === undefined ? undefined : choice === 'on'
}

interface Options extends DataSourceOptions, SettingOptions {
  readonly askPassword?: true
  readonly nativeLogin?: OnOff
  /** False: none. */
  readonly nativeLoginRole?: readonly string[] | false
  readonly accessTokenLogin?: OnOff
  readonly endSessionsOnRevocation?: OnOff
  readonly etag?: string
  readonly validateOnly?: true
  readonly skipTest?: true
}

async function run(cli: Cli, name: string, options: Options): Promise<void> {
  const api = await signedIn(cli)
  const adminDataSource = await readChange(cli, `the admin data source of ${name}`, options)
  const settings = withoutUndefined({
    ...readSettings(options),
    nativeLoginEnabled: isOn(options.nativeLogin),
    nativeLoginRoles: options.nativeLoginRole === false ? [] : options.nativeLoginRole,
    accessTokenLoginEnabled: isOn(options.accessTokenLogin),
    endSessionsOnRevocation: isOn(options.endSessionsOnRevocation),
    adminDataSource: Object.keys(adminDataSource).length === 0 ? undefined : adminDataSource,
  })
  if (Object.keys(settings).length === 0) {
    throw new CliError('caller', `nothing to change on ${name}`, { hint: 'Add --help to see what can be changed.' })
  }
  const body = withoutUndefined({ etag: options.etag, skipTest: options.skipTest, ...settings })
  const update = { method: 'PATCH', path: path`/v1/instances/${name}`, body } as const
  if (options.validateOnly) {
    return runConnectionTest(cli, api, { ...update, query: { validateOnly: true } }, [adminDataSource])
  }
  const instance = await withHostKeys(cli.terminal, [adminDataSource], () =>
    api.call({ ...update, answer: ChangedInstance, timeoutMs: connectionTestTimeoutMs }),
  )
  showItem(cli, instance, instanceFields(instance))
  if (cli.output === 'table' && options.nativeLogin === 'on') {
    cli.terminal.note(
      `Next: \`CREATE ROLE app LOGIN PASSWORD '…'\`, as somebody with CREATEROLE. Then log in with dbname=${name}/${instance.defaultDatabase}.`,
    )
  }
  showTestRemarks(cli, instance.connectionTest)
}
