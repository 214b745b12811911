import type { Command } from 'commander'
import { CatalogDatabaseList, type CatalogDatabase } from '../../../contract/catalog.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList, shownTime } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'
import { sizeText } from './size-text.ts'

export const verb: Verb = {
  usage: 'databases <instance>',
  summary: 'List the databases of an instance',
  define,
  run,
}

function define(command: Command): void {
  command.option('--filter <text>', 'only names that hold the text').addOption(limitOption())
}

interface Options {
  readonly filter?: string
  readonly limit?: number
}

const columns: readonly Column<CatalogDatabase>[] = [
  { title: 'DATABASE', text: (database) => database.name, keep: true },
  { title: 'SIZE', text: (database) => sizeText(database.sizeBytes) },
  { title: 'READ', text: (database) => (database.syncedAt === null ? 'never' : shownTime(database.syncedAt)) },
  { title: 'PROBLEM', text: (database) => database.problem ?? '' },
]

async function run(cli: Cli, instance: string, { filter, limit }: Options): Promise<void> {
  const api = await signedIn(cli)
  const databases = await readPages(limit, async (query) => {
    const list = await api.call({
      method: 'GET',
      path: path`/v1/instances/${instance}/databases`,
      query: { ...query, filter },
      answer: CatalogDatabaseList,
    })
    return { items: list.databases, nextPageToken: list.nextPageToken }
  })
  showList(cli, databases, columns, `No database is known. Have them read with \`postern sync ${instance}\`.`)
}
