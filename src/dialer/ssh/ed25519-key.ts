import type { KeyObject } from 'node:crypto'
import { sshString } from './ssh-wire.ts'

const MAGIC = Buffer.from('openssh-key-v1\0')
const BLOCK_BYTES = 8
const LINE_CHARACTERS = 70

/**
 * Writes an ed25519 private key as OpenSSH does, without a passphrase: the one form that every SSH library reads.
 * @returns the PEM-like text, and the public key as the SSH protocol sends it
 * @see https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
 */
export function writeEd25519Key(privateKey: KeyObject, comment: string): { text: string; publicKey: Buffer } {
  const { d, x } = privateKey.export({ format: 'jwk' })
  const seed = Buffer.from(d ?? '', 'base64url')
  const point = Buffer.from(x ?? '', 'base64url')
  const type = sshString('ssh-ed25519')
  const publicKey = Buffer.concat([type, sshString(point)])
  // Two equal numbers, by which a reader knows that it decrypted right: nothing is encrypted here.
  const check = Buffer.alloc(8)
  const secrets = Buffer.concat([check, publicKey, sshString(Buffer.concat([seed, point])), sshString(comment)])
  const padding = Buffer.from(Array.from({ length: -secrets.length & (BLOCK_BYTES - 1) }, (_, index) => index + 1))
  const keyCount = Buffer.from([0, 0, 0, 1])
  const body = Buffer.concat([
    MAGIC,
    sshString('none'),
    sshString('none'),
    sshString(''),
    keyCount,
    sshString(publicKey),
    sshString(Buffer.concat([secrets, padding])),
  ])
  const lines = body.toString('base64').match(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g')) ?? []
  const text = ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n')
  return { text, publicKey }
}
