import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { Secret } from '../base/secret.ts'
import { saslprep } from './saslprep.ts'

/** As Postgres' own default. */
const ITERATIONS = 4096
const SALT_BYTES = 16

const deriveBits = promisify(pbkdf2)

/**
 * What Postgres stores for a password, computed here: in `ALTER ROLE … PASSWORD` it takes the place of the password, which then
 * stands in no statement, log or statistics view. Another text at every call.
 * @see RFC 5803, RFC 7677
 */
export async function scramVerifier(password: Secret): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const salted = await deriveBits(Buffer.from(saslprep(password.reveal())), salt, ITERATIONS, 32, 'sha256')
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  return formatVerifier(salt, createHash('sha256').update(hmac('Client Key')).digest(), hmac('Server Key'))
}

/** `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as `pg_authid.rolpassword` shows it. */
export function formatVerifier(salt: Buffer, storedKey: Buffer, serverKey: Buffer): string {
  const [saltText, stored, server] = [salt, storedKey, serverKey].map((bytes) => bytes.toString('base64'))
  return `SCRAM-SHA-256$${ITERATIONS}:${saltText}$${stored}:${server}`
}
