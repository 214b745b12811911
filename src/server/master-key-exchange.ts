import { existsSync, readFileSync, rmSync } from 'node:fs'
import { PosternError } from '../base/errors.ts'
import type { Config } from '../config/parse-config.ts'
import { MasterKey } from '../crypto/master-key.ts'
import { type Resealed, resealStore } from '../keys/reseal-store.ts'
import type { Store } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Children } from './children.ts'
import { type DataFolder, writeAtomically } from './data-folder.ts'

interface ExchangeOptions {
  readonly store: Store
  /** That of this process; children are told. */
  readonly masterKey: MasterKey
  readonly config: Pick<Config, 'masterKey'>
  readonly folder: Pick<DataFolder, 'masterKeyFile' | 'nextMasterKeyFile'>
  readonly children: Pick<Children, 'shareMasterKeys'>
  readonly logger: Logger
}

/**
 * Exchanges the master key while everything runs.
 *
 * The next key lies beside the current one before anything is sealed with it, and takes its place when nothing is left that the
 * current one sealed. Every process can open with the next key before any seals with it. So whatever ends this node on the way,
 * the next start knows both keys and goes on (`resume`).
 *
 * A key that was given by an option is not ours to exchange: the operator starts every node with both keys and this only seals
 * anew what the other one sealed.
 */
export class MasterKeyExchange {
  readonly #options: ExchangeOptions
  #running: Promise<Resealed> | undefined

  constructor(options: ExchangeOptions) {
    this.#options = options
  }

  /** Goes on with an exchange that was cut short, if there is one. */
  resume(): void {
    const { config, folder, logger } = this.#options
    if (config.masterKey !== undefined || !existsSync(folder.nextMasterKeyFile)) return
    this.run().then(
      (resealed) => logger.info(resealed, 'the exchange of the master key was completed'),
      (error: unknown) => logger.error({ err: error }, 'the exchange of the master key was not completed'),
    )
  }

  /**
   * One exchange at a time: whoever asks meanwhile gets its outcome.
   * @throws PosternError CONFIG_INVALID when the key was given by an option and no other one is known | STORE_UNAVAILABLE | INTERNAL
   */
  run(): Promise<Resealed> {
    this.#running ??= this.#exchange().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #exchange(): Promise<Resealed> {
    const { config, masterKey } = this.#options
    if (config.masterKey === undefined) return this.#exchangeOwn()
    if (masterKey.otherIds.length > 0) return resealStore(this.#options)
    throw new PosternError('CONFIG_INVALID', 'The master key of this deployment is given by an option.', {
      hint: 'Start every node with the new key as otherMasterKey, then every node with the new key as masterKey and the old one as otherMasterKey, and run this again.',
    })
  }

  async #exchangeOwn(): Promise<Resealed> {
    const { masterKey, folder, children } = this.#options
    const next = nextKey(folder.nextMasterKeyFile)
    masterKey.alsoOpen(next)
    await children.shareMasterKeys(masterKey)
    masterKey.exchangeFor(next)
    await children.shareMasterKeys(masterKey)
    const resealed = await resealStore(this.#options)
    writeAtomically(folder.masterKeyFile, `${next.export().reveal()}\n`, 0o600)
    rmSync(folder.nextMasterKeyFile)
    masterKey.forgetOthers()
    await children.shareMasterKeys(masterKey)
    return resealed
  }
}

function nextKey(file: string): MasterKey {
  if (!existsSync(file)) writeAtomically(file, `${MasterKey.generate().export().reveal()}\n`, 0o600)
  return MasterKey.parse(readFileSync(file, 'utf8'))
}
