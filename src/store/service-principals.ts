import type { Kysely } from 'kysely'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

type WorkspaceRole = 'admin' | 'dba' | 'member'

export interface ServicePrincipalRow {
  readonly id: PrincipalId
  readonly clientId: string
  readonly displayName: string
  readonly active: boolean
  readonly workspaceRole: WorkspaceRole
  readonly createdAt: Date
}

/** Service principals assigned to the workspace in order of their ids, at most `limit`, those after the id `after`. */
export async function listServicePrincipals(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  page: { readonly limit: number; readonly after?: string },
): Promise<ServicePrincipalRow[]> {
  let query = assignedServicePrincipals(db, workspaceId)
  if (page.after !== undefined) query = query.where('principal.id', '>', page.after as PrincipalId)
  const rows = await query.orderBy('principal.id').limit(page.limit).execute()
  return rows.map(servicePrincipalFromRow)
}

export async function findServicePrincipal(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  clientId: string,
): Promise<ServicePrincipalRow | undefined> {
  const row = await assignedServicePrincipals(db, workspaceId)
    .where('service_principal.client_id', '=', clientId)
    .executeTakeFirst()
  return row && servicePrincipalFromRow(row)
}

function assignedServicePrincipals(db: Kysely<Schema>, workspaceId: WorkspaceId) {
  return db
    .selectFrom('service_principal')
    .innerJoin('principal', 'principal.id', 'service_principal.principal_id')
    .innerJoin('workspace_assignment', 'workspace_assignment.principal_id', 'principal.id')
    .select([
      'principal.id',
      'service_principal.client_id',
      'principal.display_name',
      'principal.active',
      'workspace_assignment.role',
      'principal.created_at',
    ])
    .where('workspace_assignment.workspace_id', '=', workspaceId)
}

function servicePrincipalFromRow(row: {
  id: string
  client_id: string
  display_name: string
  active: boolean
  role: WorkspaceRole
  created_at: Date
}): ServicePrincipalRow {
  return {
    id: row.id as PrincipalId,
    clientId: row.client_id,
    displayName: row.display_name,
    active: row.active,
    workspaceRole: row.role,
    createdAt: row.created_at,
  }
}
