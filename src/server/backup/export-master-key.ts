import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { PosternError } from '../../base/errors.ts'
import type { Config } from '../../config/parse-config.ts'
import { MasterKey } from '../../crypto/master-key.ts'
import { opensKeyCheck } from '../../keys/master-key-check.ts'
import { findDeployment } from '../../store/deployment.ts'
import { dataFolderOf, isDataFolder, readNodeId } from '../data-folder.ts'
import { interruptible } from './interruptible.ts'
import { withStore } from './reach-store.ts'

/**
 * `postern export-master-key --out FILE`: the master key of a deployment in a new file (0600), after it has proven that it
 * opens the store: a copy that turned out to be of another key would be noticed when it is needed.
 * @returns what was done, for a person
 * @throws PosternError MASTER_KEY_MISMATCH | BACKUP_FILE_UNUSABLE | CONFIG_INVALID, and what reaching the store throws
 */
export function exportMasterKeyCommand(config: Config, out: string): Promise<string> {
  const file = resolve(out)
  return interruptible(async () => {
    const masterKey = ownMasterKey(config)
    const deployment = await withStore(config, (store) => findDeployment(store.db))
    if (deployment === undefined)
      throw new PosternError('CONFIG_INVALID', 'No Postern has started on this metadata store.')
    if (!opensKeyCheck(masterKey, deployment.keyCheck)) {
      throw new PosternError(
        'MASTER_KEY_MISMATCH',
        'This is not the master key that the metadata store was sealed with.',
      )
    }
    writeNewFile(file, `${masterKey.export().reveal()}\n`)
    return `Wrote the master key to ${file}. Keep it apart from the backups: both together are everything.`
  })
}

function ownMasterKey(config: Config): MasterKey {
  if (config.masterKey !== undefined) return MasterKey.parse(config.masterKey.reveal())
  const { masterKeyFile } = dataFolderOf(config.dataDir, isDataFolder(config.dataDir) ? readNodeId(config.dataDir) : '')
  if (existsSync(masterKeyFile)) return MasterKey.parse(readFileSync(masterKeyFile, 'utf8'))
  throw new PosternError('CONFIG_INVALID', `There is no master key in ${config.dataDir}.`, {
    hint: 'Name the data folder with --data-dir, or the key with --master-key-file.',
  })
}

function writeNewFile(file: string, text: string): void {
  try {
    const descriptor = openSync(file, 'wx', 0o600)
    try {
      writeSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const what = code === 'EEXIST' ? 'exists already' : `cannot be written (${code})`
    throw new PosternError('BACKUP_FILE_UNUSABLE', `${file} ${what}.`, { cause })
  }
}
