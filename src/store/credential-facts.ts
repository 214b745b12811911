import type pg from 'pg'
import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'

/** What decides whether a principal may have a credential for one instance. */
export interface CredentialFacts {
  readonly name: string
  readonly instanceId: InstanceId
  readonly state: string
  /** The principal has a Postgres role there, of its own or of a group that it is in at any depth. */
  readonly hasBinding: boolean
  readonly isCreator: boolean
}

const statement = {
  name: 'credential-facts-1',
  text: `
    with recursive held (id) as (
      select id from principal where id = $2
      union
      select g.principal_id from held h
        join group_member m on m.member_id = h.id
        join principal_group g on g.principal_id = m.group_id
        join principal p on p.id = g.principal_id and p.active
    )
    select i.name, i.id, i.state, coalesce(i.creator_id = $2, false) as is_creator,
      exists (select from postgres_role_binding b join held h on h.id = b.principal_id where b.instance_id = i.id) as has_binding
    from instance i
    where i.workspace_id = $1 and i.name = any ($3::text[])`,
}

/** Reads, in one statement, the instances of these names that exist in the workspace. Names that do not exist are missing from the answer. */
export async function readCredentialFacts(
  pool: pg.Pool,
  workspaceId: WorkspaceId,
  principalId: PrincipalId,
  instanceNames: readonly string[],
): Promise<CredentialFacts[]> {
  const { rows } = await pool.query({ ...statement, values: [workspaceId, principalId, instanceNames] })
  return rows.map((row) => ({
    name: row.name,
    instanceId: row.id,
    state: row.state,
    hasBinding: row.has_binding,
    isCreator: row.is_creator,
  }))
}
