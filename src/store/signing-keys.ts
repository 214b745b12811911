import { type Kysely, sql } from 'kysely'
import type { WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

export type SigningKeyPurpose = 'access_token' | 'database_credential'

/** A key pair as it is stored. The public half is not: it is derived from the opened private one. */
export interface SigningKeyRow {
  /** UUID. */
  readonly id: string
  readonly workspaceId: WorkspaceId
  readonly purpose: SigningKeyPurpose
  readonly privateKeySealed: Buffer
  /** From when it signs. */
  readonly activeFrom: Date
  /** Until when what it signed is believed; null while no newer key takes over. */
  readonly verifyUntil: Date | null
}

/** Every key of every workspace, oldest first. */
export async function listSigningKeys(db: Kysely<Schema>, workspaceId?: WorkspaceId): Promise<SigningKeyRow[]> {
  let query = db.selectFrom('signing_key').selectAll().orderBy('active_from').orderBy('id')
  if (workspaceId !== undefined) query = query.where('workspace_id', '=', workspaceId)
  const rows = await query.execute()
  return rows.map((row) => ({
    id: row.id,
    workspaceId: row.workspace_id,
    purpose: row.purpose,
    privateKeySealed: row.private_key_sealed,
    activeFrom: row.active_from,
    verifyUntil: row.verify_until,
  }))
}

/** Lets one transaction at a time change the keys of a workspace. */
export async function lockSigningKeys(db: Kysely<Schema>, workspaceId: WorkspaceId): Promise<void> {
  await db.selectFrom('workspace').select('id').where('id', '=', workspaceId).forUpdate().executeTakeFirstOrThrow()
}

export async function insertSigningKey(db: Kysely<Schema>, key: SigningKeyRow): Promise<void> {
  await db
    .insertInto('signing_key')
    .values({
      id: key.id,
      workspace_id: key.workspaceId,
      purpose: key.purpose,
      private_key_sealed: key.privateKeySealed,
      active_from: key.activeFrom,
      verify_until: key.verifyUntil,
    })
    .execute()
}

export async function setVerifyUntil(db: Kysely<Schema>, id: string, verifyUntil: Date): Promise<void> {
  await db.updateTable('signing_key').set({ verify_until: verifyUntil }).where('id', '=', id).execute()
}

export async function deleteSigningKey(db: Kysely<Schema>, id: string): Promise<void> {
  await db.deleteFrom('signing_key').where('id', '=', id).execute()
}

/** Tells every process, once the transaction commits, to read the keys again. */
export async function notifySigningKeys(db: Kysely<Schema>, workspaceId: WorkspaceId): Promise<void> {
  await sql`select pg_notify(${signingKeysChannel}, ${workspaceId})`.execute(db)
}

/** NOTIFY channel; the payload is the workspace. */
export const signingKeysChannel = 'postern_keys'
