import { readFileSync } from 'node:fs'
import { packedFile } from '../../base/installation.ts'

const VERSION = '1.0'

/**
 * Statements that make the objects of `databricks_auth`, for a session whose user is to own them.
 * @param schema where the functions that people call go; a plain lower-case name
 */
export function databricksAuthObjects(schema: string): string {
  return objects().replaceAll('@extschema@', schema)
}

/**
 * The extension as files of a server's share folder, by name. It is trusted: whoever may create in a database may create it
 * there, and its script runs as the server's superuser. So each statement names what it means, no object may exist beforehand,
 * and everything goes to `owner`, who is no superuser.
 */
export function databricksAuthExtension(owner: string): Readonly<Record<string, string>> {
  const control = `
comment = 'Postgres roles for users, service principals and groups of Postern'
default_version = '${VERSION}'
relocatable = false
trusted = true
`
  const owners = [
    'schema databricks_auth',
    'table databricks_auth.setting',
    'table databricks_auth.identity',
    'table databricks_auth.bound_role',
    'table databricks_auth.request',
    'function databricks_auth.only_owner_writes()',
    'function databricks_auth.number_of(bytea)',
    'function databricks_auth.is_signed(text, bytea, numeric)',
    'function databricks_auth.session_statement(text, numeric)',
    'function @extschema@.databricks_create_role(text, text)',
    'view @extschema@.databricks_list_roles',
  ]
  return {
    'databricks_auth.control': control.trimStart(),
    [`databricks_auth--${VERSION}.sql`]: `${objects()}\n${owners.map((object) => `alter ${object} owner to ${owner};`).join('\n')}\n`,
  }
}

function objects(): string {
  return readFileSync(packedFile('src/postgres-server/databricks-auth/objects.sql'), 'utf8')
}
