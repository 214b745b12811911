import { resolve } from 'node:path'
import type { Config } from '../../config/parse-config.ts'
import { totalRows } from './backup-format.ts'
import { interruptible } from './interruptible.ts'
import { withStore } from './reach-store.ts'
import { writeBackup } from './write-backup.ts'

/**
 * `postern backup --out FILE`: the metadata of a deployment, as it is at one instant, in a file of its own. Postern may go on
 * running. The master key is not in it, and nothing that it seals is in clear.
 * @returns what was done, for a person
 * @throws PosternError BACKUP_FILE_UNUSABLE | DATA_FOLDER_UNUSABLE | STORE_UNAVAILABLE | CONFIG_INVALID
 */
export function backupCommand(config: Config, out: string, version: string): Promise<string> {
  const file = resolve(out)
  return interruptible(async (signal) => {
    const about = { postern: version, createdAt: new Date() }
    const { counts, bytes } = await withStore(config, (store) => writeBackup(store, file, about, signal))
    const tables = Object.keys(counts).length
    return `Wrote ${file}: ${totalRows(counts)} rows of ${tables} tables, ${Math.ceil(bytes / 1024)} KB. The master key is not in it.`
  })
}
