import type { WorkspaceId } from '../base/ids.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { listGroupsOf, listMembersOf, type MembershipRow } from '../store/direct-memberships.ts'
import { countDirectory, type DirectoryCondition } from '../store/principal-directory.ts'
import type { Store } from '../store/store.ts'
import type { PrincipalKind } from './actor.ts'
import { type DirectoryEntry, findEntryById, listEntries } from './principal-directory.ts'

export type { DirectoryCondition }

/** The other end of a direct membership: a member of a group, or a group of a member. */
export type Relation = Omit<MembershipRow, 'of'>

/** A principal with its direct memberships: members of a group, groups of anybody else. */
export interface ProvisionedPrincipal extends DirectoryEntry {
  readonly relations: readonly Relation[]
}

/**
 * Principals of one kind as an identity provider reads them: counted, and page by page from a position on.
 * @throws PosternError STORE_UNAVAILABLE
 */
export async function listProvisioned(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  kind: PrincipalKind,
  matching: DirectoryCondition | undefined,
  page: { readonly offset: number; readonly limit: number },
): Promise<{ readonly total: number; readonly principals: readonly ProvisionedPrincipal[] }> {
  const filter = { kind, matching }
  const total = await withStoreErrors(countDirectory(deps.store.db, workspaceId, filter))
  if (page.limit === 0) return { total, principals: [] }
  const entries = await listEntries(deps, workspaceId, filter, page)
  return { total, principals: await withRelations(deps, workspaceId, entries) }
}

/**
 * The principal of this kind and id, with its direct memberships.
 * @throws PosternError NOT_FOUND
 */
export async function findProvisioned(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  id: DirectoryEntry['id'],
): Promise<ProvisionedPrincipal> {
  const [principal] = await withRelations(deps, workspaceId, [await findEntryById(deps, workspaceId, id)])
  return principal!
}

async function withRelations(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  entries: readonly DirectoryEntry[],
): Promise<ProvisionedPrincipal[]> {
  const idsOf = (isGroup: boolean) => entries.filter(({ kind }) => (kind === 'group') === isGroup).map(({ id }) => id)
  const members = await withStoreErrors(listMembersOf(deps.store.db, idsOf(true)))
  const groups = await withStoreErrors(listGroupsOf(deps.store.db, workspaceId, idsOf(false)))
  const relations = new Map<string, Relation[]>()
  for (const { of, ...relation } of [...members, ...groups]) {
    const known = relations.get(of)
    if (known === undefined) relations.set(of, [relation])
    else known.push(relation)
  }
  return entries.map((entry) => ({ ...entry, relations: relations.get(entry.id) ?? [] }))
}
