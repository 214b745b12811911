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
}

const statement = {
  name: 'credential-facts-1',
  text: `
    ${withHeldPrincipals}
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
