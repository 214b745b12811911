import { createHash } from 'node:crypto'
import { PosternError } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'

/** Answers what the server sends, one packet at a time; undefined answers nothing. */
type AuthPlugin = (data: Buffer) => Buffer | undefined

/** Login methods for the driver, and why one of them refused to go on: the driver keeps no more than a text of it. */
export interface AuthPlugins {
  readonly plugins: Readonly<Record<string, () => AuthPlugin>>
  refusal(): PosternError | undefined
}

const FAST_AUTH_SUCCESS = 3
const FULL_AUTHENTICATION = 4
const SCRAMBLE_LENGTH = 20

/**
 * Our own forms of those methods whose full exchange gives the password away. The driver's own would send it over TLS that proves
 * nothing, or encrypt it with a key that the other side just made up.
 *
 * @param mayCarryRecoverablePassword whether TLS has proved who receives it
 * @see https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
 */
export function authPlugins(password: Secret, mayCarryRecoverablePassword: boolean): AuthPlugins {
  let refusal: PosternError | undefined
  const clearText = (method: string): Buffer => {
    if (mayCarryRecoverablePassword) return Buffer.from(`${password.reveal()}\0`)
    refusal = new PosternError(
      'UPSTREAM_AUTH_UNSAFE',
      `the database asked for the password itself (${method}), which is only sent over verified TLS`,
      { hint: 'Use TLS mode verify-full, or verify-ca with the authority of the database.' },
    )
    throw new Error('refused')
  }
  return {
    refusal: () => refusal,
    plugins: {
      mysql_clear_password: () => () => clearText('mysql_clear_password'),
      sha256_password: () => () => clearText('sha256_password'),
      caching_sha2_password: () => {
        let isFirst = true
        return (data) => {
          if (isFirst) {
            isFirst = false
            return sha2Token(password, data.subarray(0, SCRAMBLE_LENGTH))
          }
          if (data.length === 1 && data[0] === FAST_AUTH_SUCCESS) return undefined
          if (data.length === 1 && data[0] === FULL_AUTHENTICATION) return clearText('caching_sha2_password')
          // Anything else would be a public key that nobody asked for.
          throw new Error('unexpected data')
        }
      },
    },
  }
}

/** XOR(SHA256(password), SHA256(SHA256(SHA256(password)), scramble)): it proves the password and does not hold it. */
function sha2Token(password: Secret, scramble: Buffer): Buffer {
  const text = password.reveal()
  if (text === '') return Buffer.alloc(0)
  const once = sha256(Buffer.from(text))
  const mask = sha256(Buffer.concat([sha256(once), scramble]))
  return once.map((byte, index) => byte ^ (mask[index] as number)) as Buffer
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
