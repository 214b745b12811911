import { lookup } from 'node:dns/promises'
import { Gateway } from '../contract/gateway.ts'
import { Instance } from '../contract/instances.ts'
import { type ApiClient, path } from './api-client.ts'
import type { Cli } from './cli.ts'
import { CliError } from './cli-error.ts'
import { readTextFile } from './read-secret.ts'

/** Where sessions on an instance begin. */
export interface GatewayTarget {
  /** Of the instance, as the control plane spells it. */
  readonly instanceName: string
  /** Names the instance by SNI; the gateway's certificate holds it. */
  readonly host: string
  readonly port: number
  /** Used where nobody names another one. */
  readonly database: string
}

/** @throws CliError absent for an unknown instance, caller for one that has no gateway */
export async function findGatewayTarget(api: ApiClient, name: string): Promise<GatewayTarget> {
  const instance = await api.call({ method: 'GET', path: path`/v1/instances/${name}`, answer: Instance })
  const { gatewayHost: host, gatewayPort: port, defaultDatabase: database } = instance
  if (host === null) {
    throw new CliError('caller', `${name} has engine ${instance.engine}: people sign in to Postgres alone`, {
      hint: 'Run statements on it with `postern sql`.',
    })
  }
  return { instanceName: instance.name, host, port, database }
}

/** The file of certificate authorities that an option or the environment names; `system` means those of the machine. */
export async function gatewayCaFile(cli: Cli, option: string | undefined): Promise<string | undefined> {
  const file = option || cli.environment['POSTERN_GATEWAY_CA_FILE'] || cli.environment['PGSSLROOTCERT'] || undefined
  if (file !== undefined && file !== 'system') await readTextFile(file, '--gateway-ca-file')
  return file
}

/** The certificate authority that the control plane names, as PEM. */
export async function gatewayCaOf(api: ApiClient): Promise<string> {
  return (await api.call({ method: 'GET', path: '/v1/gateway', answer: Gateway })).caPem
}

/** Names under localhost mean this machine (RFC 6761 section 6.3), but not every name service knows them. */
export async function loopbackAddress(host: string): Promise<string | undefined> {
  if (!host.endsWith('.localhost')) return undefined
  return lookup(host).then(
    () => undefined,
    () => '127.0.0.1',
  )
}
