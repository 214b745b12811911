import type { Algorithms, CipherAlgorithm, KexAlgorithm, MacAlgorithm, ServerHostKeyAlgorithm } from 'ssh2'

/**
 * What we offer an SSH server. Key exchange over elliptic curves alone: finite-field Diffie-Hellman keeps the runtime busy for
 * seconds, and with it every other tunnel. The runtime has no chacha20-poly1305.
 */
export const KEY_EXCHANGES: readonly KexAlgorithm[] = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
]

export const CIPHERS: readonly CipherAlgorithm[] = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
]

/** Needed by the ciphers that do not authenticate themselves. */
export const MACS: readonly MacAlgorithm[] = [
  'hmac-sha2-256-etm@openssh.com',
  'hmac-sha2-512-etm@openssh.com',
  'hmac-sha2-256',
  'hmac-sha2-512',
]

/** In this order for ever: it decides which of a server's keys is shown, and that one is pinned. */
export const HOST_KEYS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
]

/** @param hostKeys the kinds of host key to ask for: all of {@link HOST_KEYS}, or some */
export function algorithmsFor(hostKeys: readonly ServerHostKeyAlgorithm[]): Algorithms {
  return {
    kex: [...KEY_EXCHANGES],
    cipher: [...CIPHERS],
    hmac: [...MACS],
    serverHostKey: [...hostKeys],
    compress: ['none'],
  }
}
