import { Option, type Command } from 'commander'
import { Instance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { showItem } from '../../output.ts'
import { readSecret } from '../../read-secret.ts'
import { signedIn } from '../../sign-in.ts'
import { defineDataSourceOptions, readDataSourceOptions, type DataSourceOptions } from './data-source-options.ts'
import { instanceFields } from './instance-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'update <instance>',
  summary: 'Change an instance; options that are not given stay as they are',
  define,
  run,
}

function define(command: Command): void {
  defineDataSourceOptions(command)
  command
    .option('--ask-password', 'ask for a new password of the data source')
    .option('--no-tls-ca', 'trust the public certificate authorities again')
    .addOption(new Option('--native-login <on|off>', 'login by Postgres role and password').choices(['on', 'off']))
    .option('--etag <etag>', 'refuse the change if the instance has another etag by now')
  command.addHelpText(
    'after',
    '\nA new host, port, database, user or TLS setting needs the password again:\na stored secret is never sent to a new place.',
  )
}

interface Options extends DataSourceOptions {
  readonly askPassword?: true
  readonly tlsCa: boolean
  readonly nativeLogin?: 'on' | 'off'
  readonly etag?: string
}

async function run(cli: Cli, name: string, options: Options): Promise<void> {
  const api = await signedIn(cli)
  const adminDataSource = withoutUndefined({
    ...(await readDataSourceOptions(options)),
    ...(await passwordAndCa(cli, name, options)),
  })
  const body = withoutUndefined({
    etag: options.etag,
    nativeLoginEnabled: options.nativeLogin === undefined ? undefined : options.nativeLogin === 'on',
    adminDataSource: Object.keys(adminDataSource).length === 0 ? undefined : adminDataSource,
  })
  if (Object.keys(body).every((key) => key === 'etag')) {
    throw new CliError('caller', `nothing to change on ${name}`, { hint: 'Add --help to see what can be changed.' })
  }
  const instance = await api.call({
    method: 'PATCH',
    path: path`/v1/instances/${name}`,
    body,
    answer: Instance,
    timeoutMs: 120_000,
  })
  showItem(cli, instance, instanceFields(instance))
}

async function passwordAndCa(cli: Cli, name: string, options: Options) {
  const asked = options.passwordFile !== undefined || options.askPassword
  const question = `New password of the data source of ${name}: `
  const password = asked ? await readSecret(cli.terminal, options.passwordFile, question, '--password-file') : undefined
  return { ...(password && { password: password.reveal() }), ...(options.tlsCa ? {} : { tlsCa: null }) }
}

function withoutUndefined(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
