import { rmSync } from 'node:fs'
import type { Secret } from '../../base/secret.ts'
import type { Config } from '../../config/parse-config.ts'
import { claimSocketRoot } from '../../postgres-server/socket-folder.ts'
import { createLogger } from '../../telemetry/logger.ts'
import type { DataFolder } from '../data-folder.ts'
import { startMetadataStore } from '../metadata-store.ts'
import { systemUsers } from '../system-users.ts'

/**
 * Runs the metadata Postgres of a data folder that no Postern runs on, for as long as `use` takes. The caller holds the lock
 * of the folder.
 * @param role names the command in its log lines
 * @param use gets the URL of the store
 * @throws PosternError LOCAL_POSTGRES_FAILED | DATA_FOLDER_UNUSABLE
 */
export async function withOwnMetadata<T>(
  config: Config,
  folder: DataFolder,
  role: 'backup' | 'restore',
  use: (url: Secret) => Promise<T>,
): Promise<T> {
  const logger = createLogger({ level: 'warn', role, destination: 'stderr' })
  const users = await systemUsers((line) => logger.warn(line))
  const socketRoot = claimSocketRoot(folder.nodeId, config.socketDir)
  try {
    const metadata = await startMetadataStore({
      home: folder.metadata,
      socketRoot,
      osUser: users.metadata,
      reader: users.own,
      logger,
    })
    try {
      return await use(metadata.url)
    } finally {
      await metadata.stop()
    }
  } finally {
    rmSync(socketRoot, { recursive: true, force: true })
  }
}
