import type { Cli } from './cli.ts'
import { renderFields, renderTable, type Column } from './table.ts'

/** Shows a list: a table, or the items as a JSON array. */
export function showList<Item>(cli: Cli, items: readonly Item[], columns: readonly Column<Item>[], none: string): void {
  if (cli.output === 'json') return showJson(cli, items)
  if (items.length > 0) return cli.terminal.print(renderTable(items, columns, cli.terminal.columns))
  cli.terminal.note(none)
}

/** Shows one thing: label and value line by line, or the item as JSON. */
export function showItem(cli: Cli, item: unknown, fields: Parameters<typeof renderFields>[0]): void {
  if (cli.output === 'json') return showJson(cli, item)
  cli.terminal.print(renderFields(fields))
}

/** Shows that something was done: a sentence on standard error, or the answer as JSON. */
export function showDone(cli: Cli, answer: unknown, sentence: string): void {
  if (cli.output === 'json') return showJson(cli, answer)
  cli.terminal.note(sentence)
}

/** Shows an answer as JSON, whatever the output format. */
export function showJson(cli: Cli, answer: unknown): void {
  cli.terminal.print(JSON.stringify(answer, null, 2))
}

/** A time as people read it, in UTC: `2026-11-23 04:35:10Z`. */
export function shownTime(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)}Z`
}
