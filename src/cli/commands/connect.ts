import type { Command } from 'commander'
import { Secret } from '../../base/secret.ts'
import { Me } from '../../contract/service-principals.ts'
import type { Cli } from '../cli.ts'
import { LOCAL_HOST, listenLocally } from '../connect/local-listener.ts'
import { keptLocalPassword } from '../connect/local-password.ts'
import { openGateway } from '../connect/open-gateway.ts'
import { serveSession } from '../connect/serve-session.ts'
import { SessionCredentials } from '../connect/session-credentials.ts'
import { addCredentialOptions, type CredentialOptions } from '../credential-options.ts'
import { createDatabaseCredential } from '../database-credential.ts'
import { findGatewayTarget, gatewayCaFile, gatewayCaOf } from '../gateway-target.ts'
import { wholeNumber } from '../option-values.ts'
import { showItem } from '../output.ts'
import { readSecretFile, readTextFile } from '../read-secret.ts'
import { signedIn } from '../sign-in.ts'
import { untilStopped } from '../until-stopped.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'connect <instance>',
  summary: 'Open a port of this machine for tools that cannot change their password',
  define,
  run,
}

const defaultPort = 15_432

function define(command: Command): void {
  command
    .option('--port <number>', 'port of this machine; 0 takes any free one', wholeNumber(0, 65_535), defaultPort)
    .option('--password-file <file>', 'the local password, instead of the one that is made and kept')
    .option('--any-password', 'let in every program and every user of this machine, whatever password it gives')
    .option(
      '--gateway-ca-file <file>',
      'certificate authority of the gateway (default: the one that the control plane names; or POSTERN_GATEWAY_CA_FILE)',
    )
  addCredentialOptions(command).addHelpText(
    'after',
    `
Every new session gets a fresh credential of yours; the tool gives the local password, which opens this port alone. The tool's
own TLS stays off (sslmode=disable or prefer): from this machine to the gateway the session is encrypted and verified.
It runs until Ctrl-C. Example: postern connect sample --port 15432`,
  )
}

interface Options extends CredentialOptions {
  readonly port: number
  readonly passwordFile?: string
  readonly anyPassword?: true
  readonly gatewayCaFile?: string
}

async function run(cli: Cli, name: string, options: Options): Promise<void> {
  const caFile = await gatewayCaFile(cli, options.gatewayCaFile)
  const api = await signedIn(cli)
  const target = await findGatewayTarget(api, name)
  const ca = await (caFile === undefined ? gatewayCaOf(api) : readAuthorities(caFile))
  const user = options.group ?? (await api.call({ method: 'GET', path: '/v1/me', answer: Me })).name
  const localPassword = await localPasswordOf(cli, api.endpoint.origin, target.instanceName, options)
  const mint = async () => {
    const { token, expiresAt } = await createDatabaseCredential(api, [target.instanceName], options)
    return { token: new Secret(token), expiresAt: new Date(expiresAt) }
  }
  const credentials = new SessionCredentials(mint, cli.clock)
  // Before a tool is told of the port: whoever may not log in hears it now, and not from the tool.
  await credentials.take()
  const listener = await listenLocally(options.port, (client) =>
    serveSession(client, {
      localPassword,
      openGateway: () => openGateway({ host: target.host, port: target.port, ca }),
      credential: () => credentials.take(),
    }),
  )
  const password = localPassword === undefined || options.passwordFile ? undefined : localPassword.reveal()
  showItem(cli, { host: LOCAL_HOST, port: listener.port, user, database: target.database, password }, [
    ['Host', LOCAL_HOST],
    ['Port', String(listener.port)],
    ['User', user],
    ['Database', target.database],
    ['Password', password ?? (localPassword === undefined ? 'any' : `as in ${options.passwordFile}`)],
  ])
  cli.terminal.note(`Sessions on ${target.instanceName} are open to tools of this machine until Ctrl-C.`)
  await untilStopped(cli.terminal)
  await listener.close()
}

async function readAuthorities(caFile: string): Promise<string | undefined> {
  return caFile === 'system' ? undefined : readTextFile(caFile, '--gateway-ca-file')
}

async function localPasswordOf(
  cli: Cli,
  origin: string,
  instance: string,
  { anyPassword, passwordFile }: Options,
): Promise<Secret | undefined> {
  if (anyPassword) return undefined
  if (passwordFile !== undefined) return readSecretFile(passwordFile, '--password-file')
  return keptLocalPassword(cli.environment, origin, instance)
}
