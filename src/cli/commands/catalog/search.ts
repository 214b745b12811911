import type { Command } from 'commander'
import { CatalogFindList, type CatalogFind } from '../../../contract/catalog.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'search <text>',
  summary: 'Find tables of the whole workspace by their name or that of a column',
  define,
  run,
}

function define(command: Command): void {
  command.addOption(limitOption(100))
}

const columns: readonly Column<CatalogFind>[] = [
  { title: 'INSTANCE', text: (find) => find.instance },
  { title: 'DATABASE', text: (find) => find.database },
  { title: 'TABLE', text: (find) => (find.schema === '' ? find.table : `${find.schema}.${find.table}`), keep: true },
  { title: 'KIND', text: (find) => find.kind.replace('_', ' ') },
  { title: 'COLUMNS', text: (find) => find.matchedColumns.join(', ') },
]

async function run(cli: Cli, text: string, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const found = await readPages(limit, async (query) => {
    const list = await api.call({
      method: 'GET',
      path: '/v1/catalog:search',
      query: { ...query, query: text },
      answer: CatalogFindList,
    })
    return { items: list.tables, nextPageToken: list.nextPageToken }
  })
  showList(cli, found, columns, `No table and no column is called like that.`)
}
