/**
 * The head of a query: `held (id)` is the principal `$2` and every group that it is in, at any depth. A group counts only while
 * it is active: deactivating one takes its members' access with it.
 */
export const withHeldPrincipals = `with recursive held (id) as (
      select id from principal where id = $2
      union
      select g.principal_id from held h
        join group_member m on m.member_id = h.id
        join principal_group g on g.principal_id = m.group_id
        join principal p on p.id = g.principal_id and p.active
    )`
