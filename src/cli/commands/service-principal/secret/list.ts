import type { Command } from 'commander'
import { ServicePrincipalSecretList, type ServicePrincipalSecret } from '../../../../contract/service-principals.ts'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { limitOption } from '../../../option-values.ts'
import { showList } from '../../../output.ts'
import { readPages } from '../../../read-pages.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Column } from '../../../table.ts'
import type { Verb } from '../../../verb.ts'

export const verb: Verb = {
  usage: 'list <client-id>',
  summary: 'List the secrets of a service principal; their values are never shown again',
  define,
  run,
}

function define(command: Command): void {
  command.addOption(limitOption())
}

const columns: readonly Column<ServicePrincipalSecret>[] = [
  { title: 'ID', text: (secret) => secret.id, keep: true },
  { title: 'BEGINS', text: (secret) => secret.hint },
  { title: 'CREATED', text: (secret) => secret.createdAt.slice(0, 10) },
  { title: 'EXPIRES', text: (secret) => secret.expiresAt?.slice(0, 10) ?? 'never' },
  { title: 'LAST USED', text: (secret) => secret.lastUsedAt?.slice(0, 10) ?? 'never' },
]

async function run(cli: Cli, clientId: string, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const secrets = await readPages(limit, async (query) => {
    const secretsPath = path`/v1/servicePrincipals/${clientId}/secrets`
    const list = await api.call({ method: 'GET', path: secretsPath, query, answer: ServicePrincipalSecretList })
    return { items: list.secrets, nextPageToken: list.nextPageToken }
  })
  showList(cli, secrets, columns, `${clientId} has no secrets.`)
}
