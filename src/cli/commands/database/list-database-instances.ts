import type { Command } from 'commander'
import { DatabaseInstanceList } from '../../../contract/database-instances.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { readCompatiblePages } from './read-compatible-pages.ts'

export const verb: Verb = {
  usage: 'list-database-instances',
  summary: 'List Postgres instances as JSON',
  define: (command: Command) => void command.addOption(limitOption()),
  run,
}

async function run(cli: Cli, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const instances = await readCompatiblePages(limit, async (query) => {
    const page = await api.call({
      method: 'GET',
      path: '/api/2.0/database/instances',
      query,
      answer: DatabaseInstanceList,
    })
    return { items: page.database_instances, nextPageToken: page.next_page_token }
  })
  showJson(cli, instances)
}
