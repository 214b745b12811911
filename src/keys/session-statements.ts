import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { PosternError } from '../base/errors.ts'
import type { InstanceId, PrincipalId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { open, seal, type SealContext } from '../crypto/seal.ts'
import { findStatementKey, insertStatementKey } from '../store/sql-roles.ts'
import type { Store } from '../store/store.ts'

/** Which login a session on an instance came from. */
export interface SessionStatement {
  readonly instanceId: InstanceId
  readonly systemIdentifier: string
  readonly roleOid: string
  readonly principalId: PrincipalId
  /** End of the database credential that opened the session. */
  readonly expiresAt: Date
}

const VERSION = 'v1'
const MODULUS_BITS = 2048
const SIGNATURE = /^[0-9a-f]{512}$/
const REMEMBERED_MAX = 10_000
const place: SealContext = { table: 'session_statement_key', row: 'singleton', field: 'private_key_sealed' }

/**
 * What Postern signs of a session that a database credential opened, for `databricks_create_role` on the instance to check. RSA,
 * because SQL can verify it with nothing but arithmetic and SHA-256: an instance keeps no secret, and whoever reads or writes all
 * its tables can sign nothing. A statement says nothing of other instances, and of no other Postgres role.
 *
 * Text: `v1:instance:system identifier:role oid:principal:expiry in seconds since 1970:signature in hexadecimal digits`.
 */
export class SessionStatements {
  readonly #store: Store
  readonly #masterKey: MasterKey
  #keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined
  /** A program logs in again and again with one credential; a signature costs half a millisecond. */
  readonly #signed = new Map<string, string>()

  private constructor(store: Store, masterKey: MasterKey) {
    this.#store = store
    this.#masterKey = masterKey
  }

  /** Signs nothing until the first `load`. */
  static unread(store: Store, masterKey: MasterKey): SessionStatements {
    return new SessionStatements(store, masterKey)
  }

  /**
   * Reads the deployment's key, and makes it where there is none. Of several nodes that make one, all end up with the same.
   * @throws PosternError SECRET_UNREADABLE | STORE_UNAVAILABLE
   */
  async load(): Promise<void> {
    if (this.#keys !== undefined) return
    const { db } = this.#store
    let sealed = await findStatementKey(db)
    if (sealed === undefined) {
      const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS })
      const pem = new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
      await insertStatementKey(db, seal(this.#masterKey, pem, place))
      sealed = await findStatementKey(db)
    }
    if (sealed === undefined) throw new PosternError('INTERNAL', 'The key for session statements was not stored.')
    const privateKey = createPrivateKey(open(this.#masterKey, sealed, place).reveal())
    this.#keys = { privateKey, publicKey: createPublicKey(privateKey) }
  }

  /** Modulus of the public key, in decimal digits; the exponent is 65537. */
  get modulus(): string {
    const { n } = this.#opened().publicKey.export({ format: 'jwk' })
    return BigInt(`0x${Buffer.from(n ?? '', 'base64url').toString('hex')}`).toString()
  }

  sign(statement: SessionStatement): string {
    const { instanceId, systemIdentifier, roleOid, principalId, expiresAt } = statement
    const seconds = Math.floor(expiresAt.getTime() / 1000)
    const message = [VERSION, instanceId, systemIdentifier, roleOid, principalId, seconds].join(':')
    const known = this.#signed.get(message)
    if (known !== undefined) return known
    const { privateKey: key } = this.#opened()
    const signature = sign('sha256', Buffer.from(message), { key, padding: constants.RSA_PKCS1_PADDING })
    const signed = `${message}:${signature.toString('hex')}`
    if (this.#signed.size >= REMEMBERED_MAX) this.#signed.delete(this.#signed.keys().next().value as string)
    this.#signed.set(message, signed)
    return signed
  }

  /** What a text says if it is a statement of ours; undefined otherwise. Whether it has expired is the caller's to ask. */
  verify(text: string): SessionStatement | undefined {
    const parts = text.split(':')
    const [version, instanceId, systemIdentifier, roleOid, principalId, seconds, signature, ...more] = parts
    if (version !== VERSION || !SIGNATURE.test(signature ?? '') || more.length > 0) return undefined
    const message = Buffer.from(parts.slice(0, -1).join(':'))
    const { publicKey: key } = this.#opened()
    const isOurs = verify(
      'sha256',
      message,
      { key, padding: constants.RSA_PKCS1_PADDING },
      Buffer.from(signature ?? '', 'hex'),
    )
    if (!isOurs) return undefined
    return {
      instanceId: instanceId as InstanceId,
      systemIdentifier: systemIdentifier as string,
      roleOid: roleOid as string,
      principalId: principalId as PrincipalId,
      expiresAt: new Date(Number(seconds) * 1000),
    }
  }

  #opened() {
    if (this.#keys === undefined) throw new PosternError('INTERNAL', 'Session statements are not loaded.')
    return this.#keys
  }
}
