import { createHash, randomBytes } from 'node:crypto'
import { Secret } from '../base/secret.ts'

/** How every secret starts, so that scanners of repositories and logs recognise a leaked one. */
const prefix = 'postern_sps_'
const randomByteCount = 32
const hintLength = prefix.length + 4

/** A new secret of a service principal: 256 random bits, in letters, digits, `_` and `-` so that no client must escape it. */
export function generateClientSecret(): Secret {
  return new Secret(prefix + randomBytes(randomByteCount).toString('base64url'))
}

/** What is stored. A plain hash is enough: 256 random bits cannot be guessed, so nothing needs to be slow. */
export function hashClientSecret(secret: Secret): Buffer {
  return createHash('sha256').update(secret.reveal()).digest()
}

/** First characters, to recognise a secret by; the 24 bits they tell leave 232. */
export function clientSecretHint(secret: Secret): string {
  return secret.reveal().slice(0, hintLength)
}
