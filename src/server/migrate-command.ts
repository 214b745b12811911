import { PosternError } from '../base/errors.ts'
import type { Config } from '../config/parse-config.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/store.ts'

/**
 * `postern migrate`: brings an external metadata store up to date, then ends. `serve` does it by itself; this is for operators
 * who let a step of its own change the schema.
 * @throws PosternError CONFIG_INVALID | STORE_UNAVAILABLE
 */
export async function migrateCommand(config: Config): Promise<void> {
  if (config.storeUrl === undefined) {
    throw new PosternError(
      'CONFIG_INVALID',
      'migrate is for an external metadata store; the embedded one is migrated by serve.',
      {
        hint: 'Give the store with --store-url-file or POSTERN_STORE_URL.',
      },
    )
  }
  const store = await openStore({ url: config.storeUrl, poolSize: 1, applicationName: 'postern migrate' })
  try {
    await migrate(store)
  } finally {
    await store.close()
  }
}
