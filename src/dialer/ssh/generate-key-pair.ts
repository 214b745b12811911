import { generateKeyPairSync } from 'node:crypto'
import { Secret } from '../../base/secret.ts'
import { writeEd25519Key } from './ed25519-key.ts'

const COMMENT = 'postern'

/** A new key pair for logging in to an SSH server. */
export interface SshKeyPair {
  /** Ed25519, in the format of OpenSSH, without a passphrase. */
  readonly privateKey: Secret
  /** The line for `authorized_keys`: `ssh-ed25519 AAAA… postern`. */
  readonly publicKey: string
}

/** Makes an ed25519 key pair. Its private half is to be sealed at once and never shown; the public half is for the SSH server. */
export function generateSshKeyPair(): SshKeyPair {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { text, publicKey } = writeEd25519Key(privateKey, COMMENT)
  return { privateKey: new Secret(text), publicKey: `ssh-ed25519 ${publicKey.toString('base64')} ${COMMENT}` }
}
