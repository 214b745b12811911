import { randomBytes } from 'node:crypto'
import { recordAudit } from '../audit/record-audit.ts'
import type { Clock } from '../base/clock.ts'
import { newNumericId, type PrincipalId, type WorkspaceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { hashPassword } from '../crypto/password-hash.ts'
import { ensureSigningKeys } from '../keys/ensure-signing-keys.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import { assignWorkspaceRole, findUserId, insertUser } from '../store/principals.ts'
import type { Store } from '../store/store.ts'
import { addWorkspaceHosts, insertWorkspace, listWorkspaces, lockWorkspaces } from '../store/workspaces.ts'

/** What the first start of a deployment makes; later starts find it by `name`. */
export interface FirstWorkspace {
  readonly name: string
  /** Host header values that select it, besides the loopback names that every node knows of itself: those of publicUrl. */
  readonly hosts: readonly string[]
  readonly gatewayDomain: string
  readonly adminEmail: string
}

export interface BootstrappedWorkspace {
  readonly workspaceId: WorkspaceId
  /** The administrator's password, at the one start that made it. */
  readonly adminPassword: Secret | null
}

const passwordBytes = 18

/**
 * Makes sure that the first workspace exists: with signing keys, its hosts and a user who administrates it. Many nodes may call
 * this at once; one of them creates, all get the same workspace. Load `SigningKeys` afterwards.
 *
 * @param keepPassword is given a new administrator's password before anything is committed: when it fails, nothing was made, and
 *   no crash can leave an administrator whose password nobody has
 * @throws PosternError ALREADY_EXISTS when another workspace has the gateway domain | STORE_UNAVAILABLE
 */
export async function bootstrapWorkspace(
  deps: { readonly store: Store; readonly masterKey: MasterKey; readonly clock: Clock },
  first: FirstWorkspace,
  keepPassword: (password: Secret) => Promise<void> = async () => {},
): Promise<BootstrappedWorkspace> {
  return withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await lockWorkspaces(db)
      const existing = (await listWorkspaces(db)).find(({ name }) => name === first.name)
      const workspaceId = existing?.id ?? newNumericId<WorkspaceId>()
      if (existing === undefined) {
        await insertWorkspace(db, { id: workspaceId, name: first.name, gatewayDomain: first.gatewayDomain })
      }
      await addWorkspaceHosts(db, workspaceId, first.hosts)
      await ensureSigningKeys(db, deps.masterKey, deps.clock, workspaceId)
      if (existing !== undefined) return { workspaceId, adminPassword: null }

      const knownUser = await findUserId(db, first.adminEmail)
      const principalId = knownUser ?? newNumericId<PrincipalId>()
      const adminPassword = knownUser === undefined ? generatePassword() : null
      if (adminPassword !== null) {
        const passwordHash = await hashPassword(adminPassword)
        await insertUser(db, {
          id: principalId,
          displayName: 'Administrator',
          email: first.adminEmail,
          passwordHash,
          homeWorkspaceId: workspaceId,
        })
      }
      await assignWorkspaceRole(db, { workspaceId, principalId, role: 'admin' })
      await recordAudit(db, {
        action: 'workspace.create',
        outcome: 'allowed',
        workspaceId,
        targetType: 'workspace',
        targetId: workspaceId,
        targetName: first.name,
        detail: { admin: first.adminEmail },
      })
      if (adminPassword !== null) await keepPassword(adminPassword)
      return { workspaceId, adminPassword }
    }),
  )
}

/** 144 random bits in letters and digits that survive being read aloud and pasted anywhere. */
function generatePassword(): Secret {
  return new Secret(randomBytes(passwordBytes).toString('base64url').replaceAll('-', 'x').replaceAll('_', 'y'))
}
