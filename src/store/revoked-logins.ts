import type pg from 'pg'
import type { InstanceId, PrincipalId, RoleBindingId } from '../base/ids.ts'

/** What an open session rests on. */
export interface HeldLogin {
  readonly principalId: PrincipalId
  readonly bindingId: RoleBindingId
  readonly instanceId: InstanceId
}

const statement = {
  name: 'revoked-logins-1',
  text: `
    select a.n::int
    from unnest($1::bigint[], $2::uuid[], $3::uuid[]) with ordinality as a (principal_id, binding_id, instance_id, n)
      join instance i on i.id = a.instance_id and i.end_sessions_on_revocation
    where not exists (
      with recursive held (id) as (
        select id from principal where id = a.principal_id and active
        union
        select g.id from held h
          join group_member m on m.member_id = h.id
          join principal g on g.id = m.group_id and g.kind = 'group' and g.active
      )
      select from postgres_role_binding b
        join held h on h.id = b.principal_id
        join principal holder on holder.id = b.principal_id
      where b.id = a.binding_id
        and exists (select from workspace_assignment w join held h on h.id = w.principal_id where w.workspace_id = i.workspace_id)
        and (holder.kind <> 'group'
          or exists (select from workspace_assignment w where w.principal_id = holder.id and w.workspace_id = i.workspace_id)))`,
}

/**
 * Of these logins, those that would be refused by now, on instances that end the sessions of such: the principal is gone or
 * inactive, left the workspace or the group, or the binding is gone. All in one statement, however many there are.
 */
export async function findRevokedLogins<T extends HeldLogin>(pool: pg.Pool, logins: readonly T[]): Promise<T[]> {
  const columns = [
    logins.map(({ principalId }) => principalId),
    logins.map(({ bindingId }) => bindingId),
    logins.map(({ instanceId }) => instanceId),
  ]
  const { rows } = await pool.query<{ n: number }>({ ...statement, values: columns })
  return rows.map(({ n }) => logins[n - 1] as T)
}
