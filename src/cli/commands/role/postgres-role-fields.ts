import type { PostgresRole } from '../../../contract/postgres-roles.ts'
import { shownTime } from '../../output.ts'

/** What a person sees of one Postgres role. */
export function postgresRoleFields(role: PostgresRole): (readonly [string, string])[] {
  return [
    ['Postgres role', role.roleName],
    ['Instance', role.instance],
    ['Principal', `${role.principal.name} (${role.principal.kind.replace('_', ' ')})`],
    ['Attributes', attributesText(role)],
    ['Administrator', role.administrator ? 'yes, member of databricks_superuser' : 'no'],
    ['Bound', shownTime(role.createdAt)],
  ]
}

/** The attributes as `CREATE ROLE` spells them. */
export function attributesText({ attributes }: PostgresRole): string {
  const { createDb, createRole, bypassRls } = attributes
  const names = ['LOGIN', createDb && 'CREATEDB', createRole && 'CREATEROLE', bypassRls && 'BYPASSRLS']
  return names.filter(Boolean).join(' ')
}
