import type { Command } from 'commander'
import { DatabaseInstanceRoleList } from '../../../contract/database-instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { readCompatiblePages } from './read-compatible-pages.ts'

export const verb: Verb = {
  usage: 'list-database-instance-roles <instance>',
  summary: 'List the Postgres roles of identities as JSON',
  define: (command: Command) => void command.addOption(limitOption()),
  run,
}

async function run(cli: Cli, instance: string, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const roles = await readCompatiblePages(limit, async (query) => {
    const page = await api.call({
      method: 'GET',
      path: path`/api/2.0/database/instances/${instance}/roles`,
      query,
      answer: DatabaseInstanceRoleList,
    })
    return { items: page.database_instance_roles, nextPageToken: page.next_page_token }
  })
  showJson(cli, roles)
}
