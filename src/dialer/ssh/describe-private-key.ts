import type { Secret } from '../../base/secret.ts'
import { readPrivateKey } from './read-private-key.ts'

/**
 * The public half of a private key, for people to put into `authorized_keys`.
 * @returns `ssh-ed25519 AAAA…`, without a comment
 * @throws PosternError UPSTREAM_SSH_KEY_UNREADABLE
 */
export function describePrivateKey(key: Secret, passphrase?: Secret): { readonly publicKey: string } {
  const parsed = readPrivateKey(key, passphrase)
  return { publicKey: `${parsed.type} ${parsed.getPublicSSH().toString('base64')}` }
}
