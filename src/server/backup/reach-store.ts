import { existsSync, lstatSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { Config } from '../../config/parse-config.ts'
import { currentUid } from '../../postgres-server/os-user.ts'
import { openStore, type Store } from '../../store/store.ts'
import { type DataFolder, dataFolderOf, isDataFolder, readNodeId } from '../data-folder.ts'
import { lockDataFolder } from '../data-folder-lock.ts'
import { DATABASE, SUPERUSER } from '../metadata-store.ts'
import { withOwnMetadata } from './with-own-metadata.ts'

const APPLICATION = 'postern backup'
/** A Postern that is about to start or to stop has no store to offer for a moment. */
const PATIENCE_MS = 10_000
const RETRY_MS = 250

/**
 * Opens the metadata store of a deployment, wherever it is: the external one that `storeUrl` names, the embedded one of a
 * Postern that runs on the data folder, or the embedded one of a stopped Postern, which is started for as long as it takes.
 *
 * The way to a running one is its Unix socket and the superuser's password in the data folder, so it is open to the user whom
 * the folder belongs to and to nobody else.
 * @throws PosternError DATA_FOLDER_UNUSABLE | STORE_UNAVAILABLE | LOCAL_POSTGRES_FAILED, and what `use` throws
 */
export async function withStore<T>(config: Config, use: (store: Store) => Promise<T>): Promise<T> {
  if (config.storeUrl !== undefined) {
    return useAndClose(await open(config.storeUrl), use)
  }
  const folder = existingDataFolder(config.dataDir)
  const unlock = await lockUnlessRunning(folder)
  if (unlock === undefined) return useAndClose(await openRunning(folder), use)
  try {
    return await withOwnMetadata(config, folder, 'backup', async (url) => useAndClose(await open(url), use))
  } finally {
    unlock()
  }
}

function open(url: Secret): Promise<Store> {
  return openStore({ url, poolSize: 1, applicationName: APPLICATION })
}

async function useAndClose<T>(store: Store, use: (store: Store) => Promise<T>): Promise<T> {
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

function existingDataFolder(given: string): DataFolder {
  const path = existsSync(given) ? realpathSync(given) : given
  if (!isDataFolder(path)) {
    throw new PosternError('DATA_FOLDER_UNUSABLE', `${path} is not a data folder of Postern.`, {
      hint: 'Name the folder with --data-dir, or an external metadata store with --store-url-file.',
    })
  }
  const owner = lstatSync(path).uid
  if (owner !== currentUid()) {
    throw new PosternError('DATA_FOLDER_UNUSABLE', `${path} belongs to another user (${owner}).`, {
      hint: 'Run the command as that user, for example with sudo -u.',
    })
  }
  const folder = dataFolderOf(path, readNodeId(path))
  if (!existsSync(join(folder.metadata, 'data', 'PG_VERSION'))) {
    throw new PosternError('DATA_FOLDER_UNUSABLE', `${path} holds no metadata store.`, {
      hint: 'Where the metadata is in a Postgres of yours, name it with --store-url-file.',
    })
  }
  return folder
}

/** @returns undefined while a Postern runs on the folder */
async function lockUnlessRunning(folder: DataFolder): Promise<(() => void) | undefined> {
  try {
    return await lockDataFolder(folder.lockFile, folder.path)
  } catch (thrown) {
    if (thrown instanceof PosternError && thrown.code === 'DATA_FOLDER_UNUSABLE') return undefined
    throw thrown
  }
}

async function openRunning(folder: DataFolder): Promise<Store> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await open(runningUrl(folder))
    } catch (cause) {
      if (Date.now() < deadline) {
        await sleep(RETRY_MS)
        continue
      }
      throw new PosternError('STORE_UNAVAILABLE', `The metadata store of the Postern that runs on ${folder.path} does not answer.`, {
        hint: 'Is it starting or stopping, or is its metadata in a Postgres of yours? Then name that with --store-url-file.',
        cause,
      }) // prettier-ignore
    }
  }
}

/** Where the server says that it listens: the fourth and fifth line of its pid file are port and socket folder. */
function runningUrl({ metadata }: DataFolder): Secret {
  const [, , , port, socketFolder] = readFileSync(join(metadata, 'data', 'postmaster.pid'), 'utf8').split('\n')
  const password = readFileSync(join(metadata, 'superuser-password'), 'utf8').trim()
  const host = encodeURIComponent(socketFolder ?? '')
  return new Secret(
    `postgresql://${SUPERUSER}:${encodeURIComponent(password)}@localhost/${DATABASE}?host=${host}&port=${port}`,
  )
}
