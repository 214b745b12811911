import type { Kysely } from 'kysely'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { open, seal, type SealContext } from '../crypto/seal.ts'
import { findDeployment, insertDeployment } from '../store/deployment.ts'
import type { Schema } from '../store/schema.ts'

const context: SealContext = { table: 'deployment', row: 'singleton', field: 'key_check' }
const checkValue = 'postern key check'

/** Whether a master key has been used with this store already; then only that key may be, and none may be made. */
export async function hasMasterKey(db: Kysely<Schema>): Promise<boolean> {
  return (await findDeployment(db)) !== undefined
}

/**
 * Stops a start with the wrong master key, before anything is sealed with it. The first start leaves the value to compare with;
 * when several nodes start at once, the key of the one that was first is the right one.
 *
 * @returns id of the deployment
 * @throws PosternError MASTER_KEY_MISMATCH
 * @see design section 5c
 */
export async function checkMasterKey(db: Kysely<Schema>, masterKey: MasterKey): Promise<string> {
  let deployment = await findDeployment(db)
  if (deployment === undefined) {
    await insertDeployment(db, seal(masterKey, new Secret(checkValue), context))
    deployment = await findDeployment(db)
  }
  if (deployment === undefined) throw new Error('the deployment row vanished')
  if (!opensKeyCheck(masterKey, deployment.keyCheck)) throw mismatch()
  return deployment.id
}

/** Whether this is the master key that the check value, from a store or from a backup of one, was sealed with. */
export function opensKeyCheck(masterKey: MasterKey, keyCheck: Uint8Array): boolean {
  try {
    return open(masterKey, keyCheck, context).reveal() === checkValue
  } catch (thrown) {
    if (thrown instanceof PosternError && thrown.code === 'SECRET_UNREADABLE') return false
    throw thrown
  }
}

function mismatch(): PosternError {
  return new PosternError(
    'MASTER_KEY_MISMATCH',
    'The master key is not the one that this metadata store was sealed with',
    {
      hint: 'Start with the right key (masterKey, or the file master.key in the data folder). Without it, no secret in the store can be opened.',
    },
  )
}
