import type { Kysely } from 'kysely'
import type { WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** How people sign in to a workspace. */
export interface SignInWays {
  /** In order of their names. */
  readonly providers: readonly { readonly id: string; readonly name: string }[]
  /** Whether one of them is the only way. */
  readonly isPasswordOffered: boolean
}

export async function readSignInWays(db: Kysely<Schema>, workspaceId: WorkspaceId): Promise<SignInWays> {
  const rows = await db
    .selectFrom('sso_provider')
    .select(['id', 'name', 'enforced'])
    .where('workspace_id', '=', workspaceId)
    .orderBy('name')
    .execute()
  return {
    providers: rows.map(({ id, name }) => ({ id, name })),
    isPasswordOffered: !rows.some(({ enforced }) => enforced),
  }
}
