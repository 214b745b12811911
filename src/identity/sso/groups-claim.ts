import type { PrincipalId } from '../../base/ids.ts'
import { listGroupsOf } from '../../store/direct-memberships.ts'
import { listDirectory } from '../../store/principal-directory.ts'
import { deleteSsoMembership, insertSsoMembership, listSsoMemberships } from '../../store/sso-providers.ts'
import type { Store } from '../../store/store.ts'
import type { Actor } from '../actor.ts'
import { changeMemberships } from '../change-memberships.ts'
import { putMembersIn, takeMembersOut } from '../group-members.ts'
import type { SsoProvider } from './sso-providers.ts'

/** Names of one claim; what comes after is not read. */
const MAX_NAMES = 1000
const MAX_GROUPS = 10_000

/**
 * Makes a user a direct member of the groups that a claim names, by external id or by exact display name, as far as they exist here
 * and belong to this workspace. Memberships that an earlier claim gave and this one does not name are taken away; those that
 * somebody else gave stay.
 *
 * @param claim a list of names, or one name; anything else names none
 */
export async function applyGroupsClaim(
  deps: { readonly store: Store },
  actor: Actor,
  provider: SsoProvider,
  principalId: PrincipalId,
  claim: unknown,
): Promise<void> {
  const listed: unknown[] = Array.isArray(claim) ? claim : [claim]
  const names = new Set(listed.slice(0, MAX_NAMES).filter((name) => typeof name === 'string'))
  const filter = { kind: 'group' } as const
  const groups = await listDirectory(deps.store.db, provider.workspaceId, filter, { limit: MAX_GROUPS })
  const own = groups.filter(({ isOwn }) => isOwn)
  const named = own.filter(({ name, externalId }) => names.has(name) || (externalId !== null && names.has(externalId)))
  const namedIds = new Set(named.map(({ id }) => id))
  const [given, present] = await Promise.all([
    listSsoMemberships(deps.store.db, provider.id, principalId),
    listGroupsOf(deps.store.db, provider.workspaceId, [principalId]),
  ])
  const added = named.filter(({ id }) => !present.some((group) => group.id === id))
  const removed = own.filter(({ id }) => given.includes(id) && !namedIds.has(id))
  if (added.length === 0 && removed.length === 0) return
  await changeMemberships(deps, async (db) => {
    for (const group of added) {
      await putMembersIn(db, actor, group, [principalId])
      await insertSsoMembership(db, { providerId: provider.id, principalId, groupId: group.id })
    }
    for (const group of removed) {
      await takeMembersOut(db, actor, group, [principalId])
      await deleteSsoMembership(db, { providerId: provider.id, principalId, groupId: group.id })
    }
  })
}
