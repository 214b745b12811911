import type { MasterKey } from '../crypto/master-key.ts'
import { open, seal, type SealContext } from '../crypto/seal.ts'
import { Secret } from '../base/secret.ts'

/** Statements hold secrets (`PASSWORD '…'`): the history is sealed like one, for this row and this principal. */
export function sealStatement(masterKey: MasterKey, id: string, principalId: string, statement: string): Buffer {
  // What is not whole characters cannot be sealed; no database would take it either.
  return seal(masterKey, new Secret(statement.toWellFormed()), statementContext(id, principalId))
}

/** @throws PosternError SECRET_UNREADABLE: another row's, another principal's, or another key */
export function openStatement(masterKey: MasterKey, id: string, principalId: string, sealed: Uint8Array): string {
  return open(masterKey, sealed, statementContext(id, principalId)).reveal()
}

function statementContext(id: string, principalId: string): SealContext {
  return { table: 'sql_execution', row: `${id} ${principalId}`, field: 'statement' }
}
