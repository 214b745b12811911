import { createHash, randomBytes } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { formatVerifier } from './scram-verifier.ts'

const KEY_BYTES = 32

/**
 * The SCRAM keys of a Postgres role that Postern made, instead of a password (design section 5b). No password stretches to
 * them, so a login costs no PBKDF2 and nobody can type it in.
 */
export class LoginKey {
  readonly #clientKey: Buffer
  readonly #serverKey: Buffer

  private constructor(bytes: Buffer) {
    this.#clientKey = bytes.subarray(0, KEY_BYTES)
    this.#serverKey = bytes.subarray(KEY_BYTES)
  }

  static generate(): LoginKey {
    return new LoginKey(randomBytes(2 * KEY_BYTES))
  }

  /**
   * @param secret what {@link LoginKey.toSecret} gave
   * @throws PosternError SECRET_UNREADABLE
   */
  static fromSecret(secret: Secret): LoginKey {
    const bytes = Buffer.from(secret.reveal(), 'base64')
    if (bytes.length !== 2 * KEY_BYTES) throw new PosternError('SECRET_UNREADABLE', 'A login key has the wrong length')
    return new LoginKey(bytes)
  }

  toSecret(): Secret {
    return new Secret(Buffer.concat([this.#clientKey, this.#serverKey]).toString('base64'))
  }

  /**
   * What Postgres stores for the role, in the form that `CREATE ROLE … PASSWORD` takes and `pg_authid.rolpassword` shows:
   * `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. Always the same text for the same key, so a changed password
   * is seen by comparing. Holds ServerKey: whoever reads it can pose as the server, not as the client.
   */
  verifier(): string {
    const storedKey = sha256(this.#clientKey)
    // The salt goes to anyone who asks to log in. It is made from the stored key alone, which cannot be computed back.
    const salt = sha256(Buffer.concat([Buffer.from('postern scram salt'), storedKey])).subarray(0, 16)
    return formatVerifier(salt, storedKey, this.#serverKey)
  }

  /** For {@link ScramClient} alone. */
  keys(): { readonly clientKey: Buffer; readonly serverKey: Buffer } {
    return { clientKey: this.#clientKey, serverKey: this.#serverKey }
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
