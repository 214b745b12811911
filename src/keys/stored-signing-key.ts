import { randomUUID } from 'node:crypto'
import type { WorkspaceId } from '../base/ids.ts'
import { SigningKeyPair } from '../crypto/jwt.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { open, seal, type SealContext } from '../crypto/seal.ts'
import type { SigningKeyPurpose, SigningKeyRow } from '../store/signing-keys.ts'

export type { SigningKeyPurpose } from '../store/signing-keys.ts'

export const signingKeyPurposes: readonly SigningKeyPurpose[] = ['access_token', 'database_credential']

/** A new key pair, ready to be stored. */
export function newSigningKey(
  masterKey: MasterKey,
  workspaceId: WorkspaceId,
  purpose: SigningKeyPurpose,
  activeFrom: Date,
): SigningKeyRow {
  const id = randomUUID()
  const context = sealContext({ id, workspaceId, purpose })
  const privateKeySealed = seal(masterKey, SigningKeyPair.generate().toSecret(), context)
  return { id, workspaceId, purpose, privateKeySealed, activeFrom, verifyUntil: null }
}

/** @throws PosternError SECRET_UNREADABLE when the row was moved to another workspace or purpose, or the master key is another */
export function openSigningKey(masterKey: MasterKey, row: SigningKeyRow): SigningKeyPair {
  return SigningKeyPair.fromPrivate(open(masterKey, row.privateKeySealed, sealContext(row)))
}

/** Workspace and purpose are part of the place: whoever may write the store cannot lend a key to another workspace or use. */
function sealContext(row: Pick<SigningKeyRow, 'id' | 'workspaceId' | 'purpose'>): SealContext {
  // None of the three can hold a slash: digits, one of two words, UUID.
  return { table: 'signing_key', row: `${row.workspaceId}/${row.purpose}/${row.id}`, field: 'private_key_sealed' }
}
