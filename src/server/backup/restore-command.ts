import { resolve } from 'node:path'
import { recordAudit } from '../../audit/record-audit.ts'
import { PosternError } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import type { Config } from '../../config/parse-config.ts'
import { MasterKey } from '../../crypto/master-key.ts'
import { opensKeyCheck } from '../../keys/master-key-check.ts'
import { importTables, type ImportedPart } from '../../store/import-tables.ts'
import { checkApplied } from '../../store/migrate.ts'
import { readMigrations } from '../../store/migration-files.ts'
import { markManagedInstancesUnseen, moveManagedInstances } from '../../store/restored-instances.ts'
import { openStore, type Store } from '../../store/store.ts'
import { listWorkspaces } from '../../store/workspaces.ts'
import { openDataFolder } from '../data-folder.ts'
import { type BackupHeading, type RowCounts, totalRows } from './backup-format.ts'
import { fillNewDataFolder } from './fill-data-folder.ts'
import { interruptible } from './interruptible.ts'
import { openBackup, verifyBackup } from './read-backup.ts'

export interface RestoreOptions {
  readonly in: string
  /** Managed instances whose nodes are gone become those of the node of the data folder. For an external store. */
  readonly adoptManagedInstances: boolean
}

/** A backup that was read to its end and whose master key is at hand. */
interface CheckedBackup {
  readonly file: string
  readonly heading: BackupHeading
  readonly counts: RowCounts
  readonly masterKey: MasterKey
}

/**
 * `postern restore --in FILE`: a deployment from a backup, in a new data folder or, with `storeUrl`, in an empty database. The
 * file and the master key are checked before anything is written; what is cut short leaves nothing that a start would use.
 * @returns what was done, for a person
 * @throws PosternError BACKUP_FILE_UNUSABLE | MASTER_KEY_MISMATCH | RESTORE_TARGET_NOT_EMPTY | CONFIG_INVALID |
 *   DATA_FOLDER_UNUSABLE | STORE_UNAVAILABLE
 */
export function restoreCommand(config: Config, options: RestoreOptions): Promise<string> {
  return interruptible(async (signal) => {
    const backup = await checkBackup(resolve(options.in), config.masterKey)
    const { storeUrl } = config
    if (storeUrl !== undefined) {
      const nodeId = options.adoptManagedInstances ? openDataFolder(config.dataDir).nodeId : undefined
      await restoreInto(storeUrl, backup, nodeId, signal)
      return `${told(backup)} Start Postern with this --store-url-file and the same master key.`
    }
    const path = await fillNewDataFolder(config, backup.masterKey, (url, nodeId) =>
      restoreInto(url, backup, nodeId, signal),
    )
    return `${told(backup)} Start Postern with --data-dir ${path}.`
  })
}

function told({ file, heading, counts }: CheckedBackup): string {
  return `Restored ${totalRows(counts)} rows of ${heading.createdAt} from ${file}.`
}

async function checkBackup(file: string, given: Secret | undefined): Promise<CheckedBackup> {
  if (given === undefined) {
    throw new PosternError('MASTER_KEY_MISMATCH', 'A restore needs the master key that the backup was sealed with.', {
      hint: 'Give it with --master-key-file. Without it, no secret in the backup can be opened.',
    })
  }
  const masterKey = MasterKey.parse(given.reveal())
  const { heading, counts } = await verifyBackup(file)
  if (!opensKeyCheck(masterKey, Buffer.from(heading.keyCheck, 'base64'))) {
    throw new PosternError('MASTER_KEY_MISMATCH', 'The master key is not the one that the backup was sealed with.', {
      hint: 'Give the right one with --master-key-file. Nothing was written.',
    })
  }
  checkApplied(heading.migrations, readMigrations())
  return { file, heading, counts, masterKey }
}

/** @param nodeId who gets the managed instances; undefined: they stay with their nodes */
async function restoreInto(
  url: Secret,
  { file, heading, counts }: CheckedBackup,
  nodeId: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const store = await openStore({ url, poolSize: 1, applicationName: 'postern restore' })
  try {
    const { parts } = await openBackup(file)
    await importTables(store, heading.migrations, abortable(parts, signal), async (db) => {
      if (nodeId !== undefined) await moveManagedInstances(db, nodeId)
      await markManagedInstancesUnseen(
        db,
        `Restored from a backup of ${heading.createdAt}; its node has not started it since. Its data is not in the backup.`,
      )
      await recordRestore(db, heading, counts)
    })
  } finally {
    await store.close()
  }
}

async function* abortable(parts: AsyncIterable<ImportedPart>, signal: AbortSignal): AsyncGenerator<ImportedPart> {
  for await (const part of parts) {
    signal.throwIfAborted()
    yield part
  }
  signal.throwIfAborted()
}

/** In the trail of every workspace: what happened between the backup and now is missing from it. */
async function recordRestore(db: Store['db'], heading: BackupHeading, counts: RowCounts): Promise<void> {
  const detail = { backupOf: heading.createdAt, writtenBy: heading.postern, rows: totalRows(counts) }
  for (const { id, name } of await listWorkspaces(db)) {
    await recordAudit(db, {
      action: 'deployment.restore',
      outcome: 'allowed',
      workspaceId: id,
      targetType: 'workspace',
      targetId: id,
      targetName: name,
      detail,
    })
  }
}
