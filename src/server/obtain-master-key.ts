import { existsSync, readFileSync } from 'node:fs'
import { PosternError } from '../base/errors.ts'
import type { Config } from '../config/parse-config.ts'
import { MasterKey } from '../crypto/master-key.ts'
import { checkMasterKey, hasMasterKey } from '../keys/master-key-check.ts'
import type { Store } from '../store/store.ts'
import { type DataFolder, writeAtomically } from './data-folder.ts'

/**
 * The master key: the one given, or the one in the data folder, and proven to be the store's. One is made only together with
 * an empty embedded store: a key made beside a store that has one already would hide that the right one is lost.
 * @param config the key that is given; required with an external store
 * @throws PosternError MASTER_KEY_MISMATCH | CONFIG_INVALID
 */
export async function obtainMasterKey(
  store: Store,
  config: Pick<Config, 'masterKey' | 'otherMasterKey'>,
  folder: Pick<DataFolder, 'masterKeyFile' | 'nextMasterKeyFile'>,
): Promise<MasterKey> {
  const given = config.masterKey
  const masterKey = given ? MasterKey.parse(given.reveal()) : await ownMasterKey(store, folder.masterKeyFile)
  if (config.otherMasterKey) masterKey.alsoOpen(MasterKey.parse(config.otherMasterKey.reveal()))
  // An exchange was cut short: some values are sealed with one key and some with the other.
  if (!given && existsSync(folder.nextMasterKeyFile)) {
    masterKey.alsoOpen(MasterKey.parse(readFileSync(folder.nextMasterKeyFile, 'utf8')))
  }
  await checkMasterKey(store.db, masterKey)
  return masterKey
}

async function ownMasterKey(store: Store, keyFile: string): Promise<MasterKey> {
  if (existsSync(keyFile)) return MasterKey.parse(readFileSync(keyFile, 'utf8'))
  if (await hasMasterKey(store.db)) {
    throw new PosternError(
      'MASTER_KEY_MISMATCH',
      `The metadata store is sealed with a master key, and ${keyFile} is missing.`,
      {
        hint: 'Put the file back, or give the key with --master-key-file. Without it, no secret in the store can be opened.',
      },
    )
  }
  const masterKey = MasterKey.generate()
  writeAtomically(keyFile, `${masterKey.export().reveal()}\n`, 0o600)
  return masterKey
}
