import type { Command } from 'commander'
import { ServicePrincipalList, type ServicePrincipal } from '../../../contract/service-principals.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list',
  summary: 'List the service principals of the workspace',
  define,
  run,
}

function define(command: Command): void {
  command.addOption(limitOption())
}

const columns: readonly Column<ServicePrincipal>[] = [
  { title: 'CLIENT ID', text: (principal) => principal.clientId, keep: true },
  { title: 'DISPLAY NAME', text: (principal) => principal.displayName },
  { title: 'ROLE', text: (principal) => principal.workspaceRole },
  { title: 'ACTIVE', text: (principal) => (principal.active ? 'yes' : 'no') },
  { title: 'CREATED', text: (principal) => principal.createdAt.slice(0, 10) },
]

async function run(cli: Cli, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const principals = await readPages(limit, async (query) => {
    const list = await api.call({ method: 'GET', path: '/v1/servicePrincipals', query, answer: ServicePrincipalList })
    return { items: list.servicePrincipals, nextPageToken: list.nextPageToken }
  })
  showList(
    cli,
    principals,
    columns,
    'There are no service principals. Make one with `postern service-principal create`.',
  )
}
