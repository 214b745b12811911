import { sql, type Kysely } from 'kysely'
import type { PrincipalId, WorkspaceId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** A key pair for SSH that Postern made. */
export interface SshKeyRow {
  readonly id: string
  readonly title: string
  readonly publicKey: string
  readonly privateKeySealed: Buffer
  readonly createdAt: Date
  /** `INSTANCE/DATA-SOURCE` of each data source that logs in with it. */
  readonly usedBy: readonly string[]
}

export async function insertSshKey(
  db: Kysely<Schema>,
  key: Omit<SshKeyRow, 'createdAt' | 'usedBy'> & {
    readonly workspaceId: WorkspaceId
    readonly createdBy: PrincipalId
  },
): Promise<void> {
  await db
    .insertInto('ssh_key')
    .values({
      id: key.id,
      workspace_id: key.workspaceId,
      title: key.title,
      public_key: key.publicKey,
      private_key_sealed: key.privateKeySealed,
      created_by: key.createdBy,
    })
    .execute()
}

/** The workspace's key pair of that id. `forUpdate` holds its row until the end of the transaction. */
export async function findSshKey(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  id: string,
  lock: { readonly forUpdate: boolean } = { forUpdate: false },
): Promise<SshKeyRow | undefined> {
  const query = selectSshKeys(db, workspaceId).where('ssh_key.id', '=', id)
  const row = await (lock.forUpdate ? query.forUpdate('ssh_key') : query).executeTakeFirst()
  return row && sshKeyFromRow(row)
}

/** Key pairs of the workspace in the order of their ids, at most `limit`, those after `after`. */
export async function listSshKeys(
  db: Kysely<Schema>,
  workspaceId: WorkspaceId,
  page: { readonly limit: number; readonly after?: string | undefined },
): Promise<SshKeyRow[]> {
  let query = selectSshKeys(db, workspaceId)
  if (page.after !== undefined) query = query.where('ssh_key.id', '>', page.after)
  return (await query.orderBy('ssh_key.id').limit(page.limit).execute()).map(sshKeyFromRow)
}

export async function deleteSshKey(db: Kysely<Schema>, id: string): Promise<void> {
  await db.deleteFrom('ssh_key').where('id', '=', id).execute()
}

function selectSshKeys(db: Kysely<Schema>, workspaceId: WorkspaceId) {
  return db
    .selectFrom('ssh_key')
    .selectAll('ssh_key')
    .select(
      sql<string[]>`array(
        select i.name || '/' || d.name from data_source d join instance i on i.id = d.instance_id
        where i.workspace_id = ssh_key.workspace_id
          and d.ssh @> jsonb_build_array(jsonb_build_object('generatedKeyId', ssh_key.id))
        order by 1)`.as('used_by'),
    )
    .where('ssh_key.workspace_id', '=', workspaceId)
}

type SelectedSshKey = Awaited<ReturnType<ReturnType<typeof selectSshKeys>['executeTakeFirstOrThrow']>>

function sshKeyFromRow(row: SelectedSshKey): SshKeyRow {
  return {
    id: row.id,
    title: row.title,
    publicKey: row.public_key,
    privateKeySealed: row.private_key_sealed,
    createdAt: row.created_at,
    usedBy: row.used_by,
  }
}
