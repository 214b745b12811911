import type { FieldDef } from 'pg'
import type { ResultColumn } from '../query-events.ts'

/**
 * Names of types as Postgres prints them, for columns of results. The protocol shows a domain as its base type; where a column
 * comes straight from a table, its own type is asked for.
 */
export class TypeNames {
  readonly #read: (sql: string) => Promise<(string | null)[]>
  readonly #knowsOrigins: boolean
  readonly #known = new Map<string, string>()

  /**
   * @param read runs SQL of our own and answers the only row
   * @param knowsOrigins whether pg_attribute can be asked for the column that a result's column comes from
   */
  constructor(read: (sql: string) => Promise<(string | null)[]>, knowsOrigins: boolean) {
    this.#read = read
    this.#knowsOrigins = knowsOrigins
  }

  async columns(fields: readonly FieldDef[]): Promise<ResultColumn[]> {
    const expressions = new Map(fields.map((field) => this.#expression(field)))
    const unknown = [...expressions].filter(([key]) => !this.#known.has(key))
    // A definition may have changed since: types of tables are asked for anew, others stay what they are.
    for (let at = 0; at < unknown.length; at += MAX_PER_STATEMENT) {
      const part = unknown.slice(at, at + MAX_PER_STATEMENT)
      const names = await this.#read(`select ${part.map(([, sql]) => sql).join(', ')}`)
      for (const [index, [key]] of part.entries()) this.#known.set(key, names[index] ?? 'unknown')
    }
    const columns = fields.map((field) => ({
      name: field.name,
      type: this.#known.get(this.#expression(field)[0]) ?? '',
    }))
    for (const key of this.#known.keys()) if (key.startsWith('column ')) this.#known.delete(key)
    return columns
  }

  #expression({ dataTypeID, dataTypeModifier, tableID, columnID }: FieldDef): [key: string, sql: string] {
    const type = `pg_catalog.format_type(${dataTypeID}, ${dataTypeModifier})`
    if (!this.#knowsOrigins || tableID === 0 || columnID <= 0) return [`type ${dataTypeID} ${dataTypeModifier}`, type]
    const origin = `select pg_catalog.format_type(atttypid, atttypmod) from pg_catalog.pg_attribute
      where attrelid operator(pg_catalog.=) ${tableID}::pg_catalog.oid and attnum operator(pg_catalog.=) ${columnID}`
    return [`column ${tableID} ${columnID}`, `coalesce((${origin}), ${type})`]
  }
}

/** A target list holds at most 1664 entries. */
const MAX_PER_STATEMENT = 500
