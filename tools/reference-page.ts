/** What the generators of docs/reference/ share: a page is written, or with `--check` only compared. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/**
 * Writes a page, or with `--check` on the command line fails when the committed one differs.
 * @param name file name in docs/reference
 * @param generator path of the generator, for the message
 */
export function writeReferencePage(name: string, text: string, generator: string): void {
  const page = join(import.meta.dirname, '../docs/reference', name)
  if (!process.argv.includes('--check')) writeFileSync(page, text)
  else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
    console.error(`docs/reference/${name} is out of date: run node_modules/.bin/bun tools/${basename(generator)}`)
    process.exitCode = 1
  }
}

/** A Markdown table. Cells are Markdown; a bar in them is escaped. */
export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(titles), `|${' --- |'.repeat(titles.length)}`, ...rows.map(line)].join('\n')
}
