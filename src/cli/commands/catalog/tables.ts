import type { Command } from 'commander'
import { CatalogTableList, type CatalogTableSummary } from '../../../contract/catalog.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'
import { sizeText } from './size-text.ts'

export const verb: Verb = {
  usage: 'tables <instance> <database>',
  summary: 'List the tables and views of a database',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--schema <name>', 'only those of this schema')
    .option('--filter <text>', 'only names that hold the text')
    .addOption(limitOption())
}

interface Options {
  readonly schema?: string
  readonly filter?: string
  readonly limit?: number
}

const columns: readonly Column<CatalogTableSummary>[] = [
  { title: 'SCHEMA', text: (table) => table.schema },
  { title: 'TABLE', text: (table) => table.name, keep: true },
  { title: 'KIND', text: (table) => table.kind.replace('_', ' ') },
  { title: 'ROWS (ESTIMATE)', text: (table) => table.rowEstimate?.toString() },
  { title: 'SIZE', text: (table) => sizeText(table.sizeBytes) },
  { title: 'COMMENT', text: (table) => table.comment ?? '' },
]

async function run(cli: Cli, instance: string, database: string, options: Options): Promise<void> {
  const { limit, schema, filter } = options
  const api = await signedIn(cli)
  const tables = await readPages(limit, async (query) => {
    const list = await api.call({
      method: 'GET',
      path: path`/v1/instances/${instance}/databases/${database}/tables`,
      query: { ...query, schema, filter },
      answer: CatalogTableList,
    })
    return { items: list.tables, nextPageToken: list.nextPageToken }
  })
  showList(cli, tables, columns, `No such table is known in ${database}.`)
}
