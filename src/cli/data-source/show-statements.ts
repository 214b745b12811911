import type { Cli } from '../cli.ts'
import { printable } from '../printable.ts'

/** Shows statements so that they can be copied as they are: SQL with a semicolon, commands of a shell without. */
export function showStatements(cli: Cli, title: string, statements: readonly string[]): void {
  if (statements.length === 0) return
  cli.terminal.print(title)
  for (const statement of statements) {
    const isWhole = /;\s*$/.test(statement) || statement.startsWith('gcloud ')
    cli.terminal.print(`  ${printable(statement)}${isWhole ? '' : ';'}`)
  }
}
