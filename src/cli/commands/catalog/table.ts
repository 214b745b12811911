import type { Command } from 'commander'
import { CatalogTable } from '../../../contract/catalog.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showJson } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { renderFields, renderTable, type Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'
import { sizeText } from './size-text.ts'

export const verb: Verb = {
  usage: 'table <instance> <database> <table>',
  summary: 'Show one table with its columns and indexes',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--schema <name>', 'its schema (default: what stands before the dot in its name, if any)')
    .addHelpText('after', '\nThe name may be SCHEMA.TABLE; with --schema it is taken as it is.')
}

type TableColumn = CatalogTable['columns'][number]
type Index = CatalogTable['indexes'][number]

const columns: readonly Column<TableColumn>[] = [
  { title: 'COLUMN', text: (column) => column.name, keep: true },
  { title: 'TYPE', text: (column) => column.type },
  { title: 'NULL', text: (column) => (column.nullable ? 'yes' : 'no') },
  { title: 'DEFAULT', text: (column) => column.defaultValue ?? '' },
  { title: 'COMMENT', text: (column) => column.comment ?? '' },
]
const indexes: readonly Column<Index>[] = [
  { title: 'INDEX', text: (index) => index.name, keep: true },
  { title: 'COLUMNS', text: (index) => index.columns.join(', ') },
  { title: 'KIND', text: (index) => (index.primary ? 'primary key' : index.unique ? 'unique' : '') },
]

async function run(
  cli: Cli,
  instance: string,
  database: string,
  name: string,
  { schema }: { readonly schema?: string },
): Promise<void> {
  const api = await signedIn(cli)
  const dot = schema === undefined ? name.indexOf('.') : -1
  const found = await api.call({
    method: 'GET',
    path: path`/v1/instances/${instance}/databases/${database}/tables/${name.slice(dot + 1)}`,
    query: { schema: schema ?? name.slice(0, Math.max(0, dot)) },
    answer: CatalogTable,
  })
  if (cli.output === 'json') return showJson(cli, found)
  const { terminal } = cli
  terminal.print(
    renderFields([
      ['Table', found.schema === '' ? found.name : `${found.schema}.${found.name}`],
      ['Kind', found.kind.replace('_', ' ')],
      ['Rows (estimate)', found.rowEstimate?.toString()],
      ['Size', sizeText(found.sizeBytes)],
      ['Comment', found.comment],
    ]),
  )
  terminal.print(`\n${renderTable(found.columns, columns, terminal.columns)}`)
  if (found.indexes.length > 0) terminal.print(`\n${renderTable(found.indexes, indexes, terminal.columns)}`)
}
