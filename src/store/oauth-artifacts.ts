import { sql, type Kysely } from 'kysely'
import type { WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** What an authorization server keeps of one session, grant or code; the fields beside `payload` are how it is looked up. */
export interface OauthArtifact {
  readonly payload: Readonly<Record<string, unknown>>
  readonly grantId: string | null
  readonly userCode: string | null
  readonly uid: string | null
  readonly expiresAt: Date | null
}

/** Ways of naming one artifact of a model. */
export type OauthArtifactKey = { readonly id: string } | { readonly uid: string } | { readonly userCode: string }

/** Stores an artifact or replaces the one of the same id. A mark of consumption stays. */
export async function upsertOauthArtifact(
  db: Kysely<Schema>,
  place: { readonly workspaceId: WorkspaceId; readonly model: string; readonly id: string },
  artifact: OauthArtifact,
): Promise<void> {
  const columns = {
    payload: JSON.stringify(artifact.payload),
    grant_id: artifact.grantId,
    user_code: artifact.userCode,
    uid: artifact.uid,
    expires_at: artifact.expiresAt,
  }
  await db
    .insertInto('oauth_artifact')
    .values({ workspace_id: place.workspaceId, model: place.model, id: place.id, ...columns })
    .onConflict((conflict) => conflict.columns(['workspace_id', 'model', 'id']).doUpdateSet(columns))
    .execute()
}

/** The payload with `consumed` (epoch seconds) added once it was marked so; undefined when absent or expired. */
export async function findOauthArtifact(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  model: string,
  key: OauthArtifactKey,
  now: Date,
): Promise<Record<string, unknown> | undefined> {
  let query = db
    .selectFrom('oauth_artifact')
    .select(['payload', 'consumed_at'])
    .where('workspace_id', '=', workspaceId)
    .where('model', '=', model)
    .where((row) => row.or([row('expires_at', 'is', null), row('expires_at', '>', now)]))
  if ('id' in key) query = query.where('id', '=', key.id)
  else if ('uid' in key) query = query.where('uid', '=', key.uid)
  else query = query.where('user_code', '=', key.userCode)
  const row = await query.executeTakeFirst()
  if (row === undefined) return undefined
  const payload = row.payload
  return row.consumed_at === null ? payload : { ...payload, consumed: Math.floor(row.consumed_at.getTime() / 1000) }
}

/**
 * Marks an artifact as used.
 * @returns whether this call did it: of any number at the same time one does, and an artifact that is gone is nobody's
 */
export async function consumeOauthArtifact(
  db: Kysely<Schema>,
  place: { readonly workspaceId: WorkspaceId; readonly model: string; readonly id: string },
  now: Date,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('oauth_artifact')
    .set({ consumed_at: now })
    .where(at(place))
    .where('consumed_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function deleteOauthArtifact(
  db: Kysely<Schema>,
  place: { readonly workspaceId: WorkspaceId; readonly model: string; readonly id: string },
): Promise<void> {
  await db.deleteFrom('oauth_artifact').where(at(place)).execute()
}

/** Deletes a grant and everything that was issued under it: sign-out and reuse end all of it. */
export async function deleteOauthArtifactsOfGrant(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  grantId: string,
): Promise<void> {
  await db
    .deleteFrom('oauth_artifact')
    .where('workspace_id', '=', workspaceId)
    .where((row) =>
      row.or([row('grant_id', '=', grantId), row.and([row('model', '=', 'Grant'), row('id', '=', grantId)])]),
    )
    .execute()
}

/**
 * Deletes what expired before that time, at most so many rows.
 * @returns how many were deleted
 */
export async function deleteExpiredOauthArtifacts(db: Kysely<Schema>, before: Date, limit: number): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from oauth_artifact where ctid = any (array(
      select ctid from oauth_artifact where expires_at < ${before} limit ${limit}
    ))`.execute(db)
  return Number(numAffectedRows)
}

function at(place: { readonly workspaceId: WorkspaceId; readonly model: string; readonly id: string }) {
  return sql<boolean>`workspace_id = ${place.workspaceId} and model = ${place.model} and id = ${place.id}`
}
