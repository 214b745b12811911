import { randomUUID } from 'node:crypto'
import { authorize } from '../access/policy.ts'
import type { AuditEntry } from '../audit/audit-record.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { PosternError } from '../base/errors.ts'
import type { WorkspaceId } from '../base/ids.ts'
import type { Secret } from '../base/secret.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { open, seal, type SealContext } from '../crypto/seal.ts'
import { generateSshKeyPair } from '../dialer/ssh/generate-key-pair.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import {
  deleteSshKey as deleteSshKeyRow,
  findSshKey,
  insertSshKey,
  listSshKeys as listSshKeyRows,
  type SshKeyRow,
} from '../store/ssh-keys.ts'
import type { Store } from '../store/store.ts'

interface SshKeyDependencies {
  readonly store: Store
  readonly masterKey: MasterKey
}

/** A key pair as it is shown. */
export type SshKeyView = Omit<SshKeyRow, 'privateKeySealed'>

/**
 * Makes a key pair for SSH. Its public half is put into authorized_keys of the SSH server; its private half is sealed and
 * never shown to anybody.
 * @throws PosternError PERMISSION_DENIED
 */
export async function createSshKey(deps: SshKeyDependencies, actor: Actor, title: string): Promise<SshKeyView> {
  authorize(actor, 'sshKey.create')
  const { privateKey, publicKey } = generateSshKeyPair()
  const id = randomUUID()
  const key = { id, title, publicKey, privateKeySealed: seal(deps.masterKey, privateKey, sealContext(id)) }
  await deps.store.db.transaction().execute(async (db) => {
    await insertSshKey(db, { ...key, workspaceId: actor.workspaceId, createdBy: actor.principalId })
    await recordAudit(db, sshKeyAudit(actor, 'sshKey.create', key))
  })
  return requireSshKey(deps, actor.workspaceId, id)
}

/** Key pairs of the workspace, at most `limit`, those after the id `after`. @throws PosternError PERMISSION_DENIED */
export async function listSshKeys(
  deps: SshKeyDependencies,
  actor: Actor,
  page: { readonly limit: number; readonly after?: string | undefined },
): Promise<SshKeyView[]> {
  authorize(actor, 'sshKey.read')
  return listSshKeyRows(deps.store.db, actor.workspaceId, page)
}

/** @throws PosternError PERMISSION_DENIED | NOT_FOUND | IN_USE naming the data sources that log in with it */
export async function deleteSshKey(deps: SshKeyDependencies, actor: Actor, id: string): Promise<void> {
  authorize(actor, 'sshKey.delete')
  await deps.store.db.transaction().execute(async (db) => {
    const key = await findSshKey(db, actor.workspaceId, id, { forUpdate: true })
    if (key === undefined) throw unknownKey(id)
    if (key.usedBy.length > 0) {
      throw new PosternError('IN_USE', `Data sources log in with this SSH key: ${key.usedBy.join(', ')}`, {
        hint: 'Give them another key, or remove them first.',
      })
    }
    await deleteSshKeyRow(db, id)
    await recordAudit(db, sshKeyAudit(actor, 'sshKey.delete', key))
  })
}

/**
 * Both halves of a key pair, for logging in to an SSH server with it.
 * @throws PosternError INVALID_ARGUMENT when the workspace has no such key pair | SECRET_UNREADABLE
 */
export async function openSshKey(
  deps: SshKeyDependencies,
  workspaceId: WorkspaceId,
  id: string,
): Promise<{ readonly privateKey: Secret; readonly publicKey: string }> {
  const key = await findSshKey(deps.store.db, workspaceId, id)
  if (key === undefined) {
    throw new PosternError('INVALID_ARGUMENT', `generatedKeyId: there is no SSH key ${id} in this workspace`, {
      detail: { field: 'generatedKeyId' },
    })
  }
  return { privateKey: open(deps.masterKey, key.privateKeySealed, sealContext(id)), publicKey: key.publicKey }
}

async function requireSshKey(deps: SshKeyDependencies, workspaceId: WorkspaceId, id: string): Promise<SshKeyView> {
  const key = await findSshKey(deps.store.db, workspaceId, id)
  if (key === undefined) throw unknownKey(id)
  return key
}

function unknownKey(id: string): PosternError {
  return new PosternError('NOT_FOUND', `No SSH key ${id} exists in this workspace`)
}

function sealContext(id: string): SealContext {
  return { table: 'ssh_key', row: id, field: 'private_key' }
}

function sshKeyAudit(
  actor: Actor,
  action: 'sshKey.create' | 'sshKey.delete',
  key: { readonly id: string; readonly publicKey: string },
): AuditEntry {
  return {
    ...actorAudit(actor),
    action,
    outcome: 'allowed',
    targetType: 'ssh_key',
    targetId: key.id,
    targetName: key.id,
    detail: { publicKey: key.publicKey },
  }
}
