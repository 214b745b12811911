import { createHash, randomBytes } from 'node:crypto'
import { Secret } from '../base/secret.ts'

const randomByteCount = 32

/** A new secret that sets a password once: 256 random bits, recognisable by how it starts. */
export function generateResetSecret(): Secret {
  return new Secret(`postern_reset_${randomBytes(randomByteCount).toString('base64url')}`)
}

/** What is stored: a plain hash is enough for 256 random bits. */
export function hashResetSecret(secret: Secret): Buffer {
  return createHash('sha256').update(secret.reveal()).digest()
}
