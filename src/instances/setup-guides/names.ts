import type { SetupGuideQuery } from '../../contract/setup-guides.ts'

/** A name as it is given, or a placeholder that nobody mistakes for one. */
export function nameOr(value: string | undefined, placeholder: string): string {
  return value ?? `<<${placeholder}>>`
}

/** Name of a Postgres object, quoted. */
export function quotePostgres(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A MySQL account that may come from anywhere: `'name'@'%'`. */
export function mysqlAccount(username: string): string {
  return `'${username.replaceAll('\\', '\\\\').replaceAll("'", "''")}'@'%'`
}

/** Whether the database speaks MySQL's protocol. */
export function isMysql({ engine }: Pick<SetupGuideQuery, 'engine'>): boolean {
  return engine !== 'postgres'
}

/** Text that the shell takes as one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** Text in a policy of Vault. */
export function hclText(text: string): string {
  return JSON.stringify(text).replaceAll('${', '$${')
}
