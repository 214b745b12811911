import { recordAudit } from '../audit/record-audit.ts'
import { newNumericId, type PrincipalId } from '../base/ids.ts'
import type { Secret } from '../base/secret.ts'
import { hashPassword } from '../crypto/password-hash.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { assignWorkspaceRole, insertUser, updatePrincipal } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import type { Actor, WorkspaceRole } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { checkPassword } from './check-password.ts'
import { type DirectoryEntry, findEntry } from './principal-directory.ts'
import { checkedDisplayName, checkedEmail } from './principal-names.ts'

/**
 * Creates a user of the actor's workspace. Without a password he signs in elsewhere, or sets one with a reset secret.
 *
 * @param input.workspaceRole null: no assignment of his own; he is in the workspace only through groups
 * @throws PosternError INVALID_ARGUMENT | ALREADY_EXISTS, for a user of another workspace as well: assign that one
 */
export async function createUser(
  deps: { readonly store: Store },
  actor: Actor,
  input: {
    readonly email: string
    readonly displayName?: string | undefined
    readonly workspaceRole: WorkspaceRole | null
    readonly password?: Secret | undefined
    readonly externalId?: string | undefined
    readonly active?: boolean | undefined
  },
): Promise<DirectoryEntry> {
  const id = newNumericId<PrincipalId>()
  const { workspaceId } = actor
  const { workspaceRole, externalId, password, active = true } = input
  const email = checkedEmail(input.email)
  const displayName = checkedDisplayName(input.displayName ?? email)
  if (password !== undefined) checkPassword(password, email)
  const passwordHash = password === undefined ? null : await hashPassword(password)
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await insertUser(db, {
        id,
        email,
        displayName,
        passwordHash,
        homeWorkspaceId: workspaceId,
        externalId: externalId ?? null,
      })
      if (!active) await updatePrincipal(db, id, { active })
      if (workspaceRole !== null) await assignWorkspaceRole(db, { workspaceId, principalId: id, role: workspaceRole })
      await recordAudit(db, {
        ...actorAudit(actor),
        action: 'user.create',
        outcome: 'allowed',
        targetType: 'principal',
        targetId: id,
        targetName: email,
        detail: { displayName, workspaceRole, active, hasPassword: passwordHash !== null },
      })
    }),
  )
  return findEntry(deps, workspaceId, 'user', id)
}
