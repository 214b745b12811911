import { randomUUID } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PosternError } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import type { Config } from '../../config/parse-config.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import { currentUid } from '../../postgres-server/os-user.ts'
import { clearStalePostmaster } from '../../postgres-server/stale-postmaster.ts'
import {
  type DataFolder,
  dataFolderOf,
  isDataFolder,
  isHalfRestored,
  openToOwnServers,
  restoreMark,
  writeAtomically,
  writeNodeId,
} from '../data-folder.ts'
import { lockDataFolder } from '../data-folder-lock.ts'
import { withOwnMetadata } from './with-own-metadata.ts'

/**
 * Makes a data folder of a new node around a metadata store that `fill` fills. The node's own file comes last: until then no
 * start uses the folder, and the next restore into it begins anew. The folder itself may be there if it is empty, such as a
 * volume of a container.
 * @returns its path
 * @throws PosternError RESTORE_TARGET_NOT_EMPTY | DATA_FOLDER_UNUSABLE | LOCAL_POSTGRES_FAILED, and what `fill` throws
 */
export async function fillNewDataFolder(
  config: Config,
  masterKey: MasterKey,
  fill: (storeUrl: Secret, nodeId: string) => Promise<void>,
): Promise<string> {
  const isNew = !existsSync(config.dataDir)
  const path = claimFolder(config.dataDir)
  const folder = dataFolderOf(path, markedNodeId(path))
  const unlock = await lockDataFolder(folder.lockFile, folder.path)
  try {
    await removeLeftovers(folder)
    openToOwnServers(folder.path)
    await withOwnMetadata(config, folder, 'restore', (url) => fill(url, folder.nodeId))
    writeAtomically(folder.masterKeyFile, `${masterKey.export().reveal()}\n`, 0o600)
    writeNodeId(folder.path, folder.nodeId)
  } catch (thrown) {
    await removeLeftovers(folder)
    rmSync(restoreMark(folder.path))
    unlock()
    if (isNew) rmSync(folder.path, { recursive: true, force: true })
    throw thrown
  }
  rmSync(restoreMark(folder.path))
  unlock()
  return folder.path
}

/** Puts the mark into a folder that is absent, empty, or half-filled by a restore before. */
function claimFolder(given: string): string {
  try {
    mkdirSync(given, { recursive: true, mode: 0o700 })
    const path = realpathSync(given)
    if (lstatSync(path).uid !== currentUid()) {
      throw new PosternError('DATA_FOLDER_UNUSABLE', `${path} belongs to another user (${lstatSync(path).uid}).`, {
        hint: 'Run the restore as that user, for example with sudo -u.',
      })
    }
    if (isDataFolder(path) || (readdirSync(path).length > 0 && !isHalfRestored(path))) {
      throw new PosternError('RESTORE_TARGET_NOT_EMPTY', `${path} is not empty; a restore makes a new data folder.`, {
        hint: 'Choose another folder with --data-dir. Nothing was changed.',
      })
    }
    // A restore that was killed had an id for its node, and sockets below it: going on with that id, they are removed in the end.
    if (!isHalfRestored(path)) writeAtomically(restoreMark(path), randomUUID(), 0o600)
    return path
  } catch (cause) {
    if (cause instanceof PosternError) throw cause
    throw new PosternError('DATA_FOLDER_UNUSABLE', `The data folder ${given} cannot be used.`, {
      hint: `${(cause as NodeJS.ErrnoException).code ?? 'error'}: check its owner and mode, or choose another with --data-dir.`,
      cause,
    })
  }
}

function markedNodeId(path: string): string {
  return readFileSync(restoreMark(path), 'utf8')
}

/** The mark says that everything here is an unfinished restore's; a server of it may still run. */
async function removeLeftovers(folder: DataFolder): Promise<void> {
  const data = join(folder.metadata, 'data')
  if (existsSync(data)) await clearStalePostmaster(data)
  for (const path of [folder.metadata, folder.masterKeyFile]) rmSync(path, { recursive: true, force: true })
}
