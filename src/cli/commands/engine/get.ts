import type { Command } from 'commander'
import { EngineDescription } from '../../../contract/engine-descriptions.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showStatements } from '../../data-source/show-statements.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'get <engine>',
  summary: 'Show what a data source of an engine takes, and the statements that make its user',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--username <name>', 'user to fill into the statements')
    .option('--database <name>', 'database to fill into the statements')
}

interface Options {
  readonly username?: string
  readonly database?: string
}

async function run(cli: Cli, name: string, query: Options): Promise<void> {
  const api = await signedIn(cli)
  const place = path`/v1/engines/${name}`
  const engine = await api.call({ method: 'GET', path: place, query: { ...query }, answer: EngineDescription })
  showItem(cli, engine, engineFields(engine))
  if (cli.output === 'json') return
  showStatements(cli, '\nStatements for the user of the admin data source:', engine.grantStatements.admin)
  showStatements(cli, '\nStatements for a read-only user:', engine.grantStatements.readOnly)
}

function engineFields(engine: EngineDescription): (readonly [string, string | null])[] {
  const { sameHost, addressesToAllow, oneOf, manageModes } = engine
  return [
    ['Engine', `${engine.engine}, ${engine.title}`],
    ['Port', engine.defaultPort === null ? 'HTTPS' : String(engine.defaultPort)],
    ['Database', `${engine.database}${engine.defaultDatabase === '' ? '' : `, default ${engine.defaultDatabase}`}`],
    ['Host', engine.host],
    ['User', engine.username],
    ...Object.entries(engine.fields).map(([field, use]) => [`--field ${field}`, use] as const),
    ...(oneOf.length === 0 ? [] : [['Needed', oneOf.join(' or ')] as const]),
    ['Login', engine.loginMethods.join(', ')],
    ['TLS', engine.tlsModes.join(', ')],
    ['Client certificate', engine.clientCertificate ? 'yes' : 'no'],
    ['SSH', engine.ssh ? 'yes' : 'no'],
    ['Read-only by', engine.readOnly],
    ...(manageModes.length === 0 ? [] : [['Manage modes', manageModes.join(', ')] as const]),
    ...Object.entries(engine.extraParameters).map(
      ([name, { description }]) => [`--parameter ${name}`, description] as const,
    ),
    ['Gateway logins', engine.gateway ? 'yes' : 'no'],
    ...(sameHost === null ? [] : [['On the same host', `${sameHost.host}. ${sameHost.note}`] as const]),
    ...(addressesToAllow.length === 0 ? [] : [['Addresses to allow', addressesToAllow.join(', ')] as const]),
  ]
}
