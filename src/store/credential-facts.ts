import type pg from 'pg'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'
import { withHeldPrincipals } from './held-principals.ts'

/** What decides whether a principal may have a credential for one instance. */
export interface CredentialFacts {
  readonly name: string
  readonly instanceId: InstanceId
  readonly state: string
  /** The principal has a Postgres role there, of its own or of a group that it is in at any depth. */
  readonly hasBinding: boolean
  readonly isCreator: boolean
  /** It was granted a level there, or a group that it is in was. */
  readonly hasPermission: boolean
  /** Groups of the name that was asked for which the principal is in, at any depth, and which have a Postgres role there. */
  readonly groupIds: readonly PrincipalId[]
  readonly hasReadOnlySource: boolean
}

const statement = {
  name: 'credential-facts-2',
  text: `
    ${withHeldPrincipals}
    select i.name, i.id, i.state, coalesce(i.creator_id = $2, false) as is_creator,
      exists (select from postgres_role_binding b join held h on h.id = b.principal_id where b.instance_id = i.id) as has_binding,
      exists (select from instance_permission p join held h on h.id = p.principal_id where p.instance_id = i.id) as has_permission,
      exists (select from data_source d where d.instance_id = i.id and d.type = 'read_only') as has_read_only_source,
      case when $4::text is null then '{}' else array(
        select distinct g.id::text from postgres_role_binding b
          join held h on h.id = b.principal_id
          join principal g on g.id = b.principal_id and g.kind = 'group' and g.display_name = $4
          join workspace_assignment a on a.principal_id = g.id and a.workspace_id = $1
        where b.instance_id = i.id) end as group_ids
    from instance i
    where i.workspace_id = $1 and i.name = any ($3::text[])`,
}

/** Reads, in one statement, the instances of these names that exist in the workspace. Names that do not exist are missing from the answer. */
export async function readCredentialFacts(
  pool: pg.Pool,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
  instanceNames: readonly string[],
  groupName?: string,
): Promise<CredentialFacts[]> {
  const values = [workspaceId, principalId, instanceNames, groupName ?? null]
  const { rows } = await pool.query({ ...statement, values })
  return rows.map((row) => ({
    name: row.name,
    instanceId: row.id,
    state: row.state,
    hasBinding: row.has_binding,
    isCreator: row.is_creator,
    hasPermission: row.has_permission,
    groupIds: row.group_ids,
    hasReadOnlySource: row.has_read_only_source,
  }))
}
