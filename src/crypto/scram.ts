/**
 * The client's side of SCRAM-SHA-256 without channel binding, as Postgres speaks it.
 *
 * ```
 * new ─ clientFirst ► first-sent ─ clientFinal ► final-sent ─ verifyServerFinal ► verified
 * ```
 *
 * A call out of turn is a programming error and throws. A server is believed only in state `verified`: before that it has not
 * shown that it knows the password or the login key.
 *
 * @see RFC 5802 (messages), RFC 7677 (SHA-256), https://www.postgresql.org/docs/current/sasl-authentication.html
 */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { LoginKey } from './login-key.ts'
import { saslprep } from './saslprep.ts'
import { parseServerFinal, parseServerFirst } from './scram-messages.ts'

/** What the client proves its identity with: a password, or the keys that a password would be stretched to. */
export type ScramProof = { readonly password: Secret } | { readonly loginKey: LoginKey }

/** `n,,`: no channel binding, no authorization identity (RFC 5802 section 7, gs2-header). */
const GS2_HEADER = 'n,,'
/** As many random bytes as libpq takes. */
const NONCE_BYTES = 18

const deriveBits = promisify(pbkdf2)

interface ScramKeys {
  readonly clientKey: Buffer
  readonly serverKey: Buffer
}

type ScramState =
  | { readonly kind: 'new' }
  | { readonly kind: 'first-sent'; readonly clientFirstBare: string }
  | { readonly kind: 'final-sent'; readonly serverSignature: Buffer }
  | { readonly kind: 'verified' }

/** One login by SCRAM-SHA-256. Not reusable. */
export class ScramClient {
  readonly #proof: ScramProof
  readonly #nonce: string
  readonly #username: string
  #state: ScramState = { kind: 'new' }

  /** @param fixed only for the test vector of RFC 7677, which fixes both */
  constructor(proof: ScramProof, fixed: { readonly nonce?: string; readonly username?: string } = {}) {
    this.#proof = proof
    this.#nonce = fixed.nonce ?? randomBytes(NONCE_BYTES).toString('base64')
    this.#username = fixed.username ?? ''
  }

  /** Body of SASLInitialResponse. The user name is empty: Postgres takes the one of the startup message. */
  clientFirst(): Buffer {
    if (this.#state.kind !== 'new') throw outOfTurn('clientFirst', this.#state)
    const clientFirstBare = `n=${this.#username},r=${this.#nonce}`
    this.#state = { kind: 'first-sent', clientFirstBare }
    return Buffer.from(GS2_HEADER + clientFirstBare)
  }

  /**
   * Body of the SASLResponse to the server's first message.
   * @throws PosternError UPSTREAM_PROTOCOL when the message is malformed, out of bounds or not an answer to ours
   */
  async clientFinal(serverFirst: Uint8Array): Promise<Buffer> {
    if (this.#state.kind !== 'first-sent') throw outOfTurn('clientFinal', this.#state)
    const { clientFirstBare } = this.#state
    const challenge = parseServerFirst(serverFirst, this.#nonce)
    const keys = await deriveKeys(this.#proof, challenge.salt, challenge.iterations)
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${challenge.nonce}`
    const authMessage = `${clientFirstBare},${challenge.text},${withoutProof}`
    const clientSignature = hmac(sha256(keys.clientKey), authMessage)
    const proof = Buffer.from(keys.clientKey.map((byte, index) => byte ^ clientSignature[index]!))
    this.#state = { kind: 'final-sent', serverSignature: hmac(keys.serverKey, authMessage) }
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /**
   * Checks that the server knows what we know. Only after this may anything it says be trusted.
   * @throws PosternError UPSTREAM_AUTH_FAILED when the server refused our proof, UPSTREAM_AUTH_UNSAFE when its own is wrong,
   *   UPSTREAM_PROTOCOL when the message is malformed
   */
  verifyServerFinal(serverFinal: Uint8Array): void {
    if (this.#state.kind !== 'final-sent') throw outOfTurn('verifyServerFinal', this.#state)
    const { serverSignature } = this.#state
    if (!timingSafeEqual(parseServerFinal(serverFinal), serverSignature)) {
      throw new PosternError('UPSTREAM_AUTH_UNSAFE', 'The database did not prove that it knows the password', {
        hint: 'Something else may be answering at its address. Do not enter the password again before you know what.',
      })
    }
    this.#state = { kind: 'verified' }
  }
}

async function deriveKeys(proof: ScramProof, salt: Buffer, iterations: number): Promise<ScramKeys> {
  if ('loginKey' in proof) return proof.loginKey.keys()
  const prepared = saslprep(proof.password.reveal())
  const saltedPassword = await deriveBits(Buffer.from(prepared), salt, iterations, 32, 'sha256')
  return { clientKey: hmac(saltedPassword, 'Client Key'), serverKey: hmac(saltedPassword, 'Server Key') }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function outOfTurn(call: string, state: ScramState): Error {
  return new Error(`ScramClient.${call} called in state ${state.kind}`)
}
