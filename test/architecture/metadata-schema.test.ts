import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../support/embedded-postgres.ts'

/** Names that suggest a secret, and the two endings that say how it is kept. */
const suggestsSecret = /password|passwd|secret|token|private|credential|login_key|api_key|passphrase/
const isKeptSafely = /_(sealed|hash)$/

describe('the metadata schema', () => {
  let postgres: EmbeddedPostgres
  let columns: { table_name: string; column_name: string; data_type: string }[] = []
  let uncommentedTables: string[] = []
  let unnamedConstraints: string[] = []

  beforeAll(async () => {
    postgres = await startEmbeddedPostgres()
    const store = await postgres.freshStore()
    const { rows } = await store.pool.query<{ table_name: string; column_name: string; data_type: string }>(
      `select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'`,
    )
    columns = rows
    const tables = await store.pool.query<{ name: string }>(
      `select relname as name from pg_class
       where relnamespace = 'public'::regnamespace and relkind = 'r' and obj_description(oid, 'pg_class') is null`,
    )
    uncommentedTables = tables.rows.map((row) => row.name)
    const constraints = await store.pool.query<{ name: string }>(
      `select conname as name from pg_constraint
       where connamespace = 'public'::regnamespace and contype = 'c' and conname ~ '_check[0-9]*$'`,
    )
    unnamedConstraints = constraints.rows.map((row) => row.name)
  })
  afterAll(() => postgres?.stop())

  it('keeps every secret sealed or hashed, and says so in the name of the column', () => {
    expect(columns.length).toBeGreaterThan(50)
    // A switch holds no secret, whatever it is called.
    const secrets = columns.filter(
      (column) => column.data_type !== 'boolean' && suggestsSecret.test(column.column_name),
    )
    expect(secrets.length).toBeGreaterThan(3)
    expect(secrets.filter(({ column_name }) => !isKeptSafely.test(column_name))).toEqual([])
  })

  it('keeps what is sealed as bytes', () => {
    const sealed = columns.filter(({ column_name }) => /(^|_)sealed$/.test(column_name))
    expect(sealed.filter(({ data_type }) => data_type !== 'bytea')).toEqual([])
  })

  it('says of every table what it holds', () => {
    expect(uncommentedTables).toEqual([])
  })

  it('names every check after the rule that it enforces', () => {
    expect(unnamedConstraints).toEqual([])
  })
})
