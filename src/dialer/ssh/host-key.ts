import { createHash } from 'node:crypto'
import { readSshStrings } from './ssh-wire.ts'

/** A host key as people compare it. */
export interface HostKey {
  /** `SHA256:` and base64 without padding, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string
  /** `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256` … */
  readonly algorithm: string
}

/** @param blob the public key as the SSH protocol sends it (RFC 4253 section 6.6) */
export function readHostKey(blob: Buffer): HostKey {
  const digest = createHash('sha256').update(blob).digest('base64')
  const algorithm = readSshStrings(blob, 1)?.[0]?.toString('latin1') ?? ''
  return {
    fingerprint: `SHA256:${withoutPadding(digest)}`,
    algorithm: /^[\w@.-]{1,64}$/.test(algorithm) ? algorithm : '',
  }
}

/** Whether a key is the pinned one. Padding that somebody typed along makes no other key. */
export function isPinned(hostKey: HostKey, pin: string): boolean {
  return hostKey.fingerprint === withoutPadding(pin.trim())
}

function withoutPadding(base64: string): string {
  return base64.replace(/=+$/, '')
}
