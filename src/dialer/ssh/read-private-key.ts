import { createPrivateKey, type KeyObject } from 'node:crypto'
import ssh2, { type ParsedKey } from 'ssh2'
import { PosternError } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import { writeEd25519Key } from './ed25519-key.ts'
import { readSshStrings } from './ssh-wire.ts'

const MAGIC = 'openssh-key-v1\0'
/** ssh-keygen takes 16 to 24 by default. Each costs milliseconds, and a key may ask for four billion. */
const ROUNDS_MAX = 100
const LENGTH_MAX = 64 * 1024

/**
 * Reads a private key in the format of OpenSSH, PEM (`RSA`, `EC PRIVATE KEY`) or PKCS#8.
 * @param passphrase wanted exactly when the key is encrypted
 * @throws PosternError UPSTREAM_SSH_KEY_UNREADABLE saying whether the key or its passphrase is at fault
 */
export function readPrivateKey(key: Secret, passphrase: Secret | undefined): ParsedKey {
  const text = key.reveal().trim().replaceAll('\r\n', '\n')
  const label = /^-----BEGIN ([A-Z ]{0,20}PRIVATE KEY)-----\n/.exec(text)?.[1]
  if (label === undefined || text.length > LENGTH_MAX) throw noPrivateKey(text)
  const isEncrypted = needsPassphrase(text, label)
  if (isEncrypted && passphrase === undefined) {
    throw unreadable('the SSH private key is encrypted, and there is no passphrase', 'Give the passphrase of the key.')
  }
  const parsed = parse(text, label, isEncrypted ? passphrase : undefined)
  if (parsed !== undefined && parsed.isPrivateKey()) return parsed
  if (isEncrypted) {
    throw unreadable(
      'the passphrase does not open the SSH private key',
      'Check the passphrase with `ssh-keygen -y -f FILE`.',
    )
  }
  throw unreadable(
    'the SSH private key is damaged or of a type that is not supported',
    'Check it with `ssh-keygen -y -f FILE`.',
  )
}

function parse(text: string, label: string, passphrase: Secret | undefined): ParsedKey | undefined {
  try {
    const isPkcs8 = label === 'PRIVATE KEY' || label === 'ENCRYPTED PRIVATE KEY'
    const readable = isPkcs8 ? fromPkcs8(text, passphrase) : text
    const parsed: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(readable, passphrase?.reveal())
    if (parsed instanceof Error) return undefined
    return Array.isArray(parsed) ? parsed[0] : parsed
  } catch {
    // A wrong passphrase shows as one decryption error or another, depending on chance.
    return undefined
  }
}

/** Keys of PKCS#8 in the form that the SSH library knows. */
function fromPkcs8(text: string, passphrase: Secret | undefined): string {
  const key: KeyObject = createPrivateKey({ key: text, format: 'pem', passphrase: passphrase?.reveal() })
  if (key.asymmetricKeyType === 'ed25519') return writeEd25519Key(key, '').text
  const type = key.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs1'
  return key.export({ format: 'pem', type }).toString()
}

function needsPassphrase(text: string, label: string): boolean {
  if (label !== 'OPENSSH PRIVATE KEY')
    return label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: ?4,ENCRYPTED$/m.test(text)
  const body = Buffer.from(text.replaceAll(/-----[A-Z ]+-----/g, ''), 'base64')
  if (body.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) return false
  const [cipher, , options] = readSshStrings(body.subarray(MAGIC.length), 3) ?? []
  if (cipher === undefined || options === undefined || cipher.toString() === 'none') return false
  requireFewRounds(options)
  return true
}

/** The key derivation runs to its end before anything else does: whoever gives a key must not decide how long that is. */
function requireFewRounds(options: Buffer): void {
  const salt = readSshStrings(options, 1)?.[0]
  if (salt === undefined || options.length < salt.length + 8) return
  if (options.readUInt32BE(salt.length + 4) <= ROUNDS_MAX) return
  throw unreadable(
    `the SSH private key asks for more than ${ROUNDS_MAX} rounds of key derivation`,
    'Encrypt it with fewer: `ssh-keygen -p -a 24 -f FILE`.',
  )
}

function noPrivateKey(text: string): PosternError {
  if (/^(ssh-|ecdsa-|-----BEGIN [A-Z ]{0,20}PUBLIC KEY)/.test(text)) {
    return unreadable('this is a public key, where the SSH private key belongs', 'Give the file without `.pub`.')
  }
  if (text.startsWith('PuTTY-User-Key-File')) {
    return unreadable(
      'this is a key of PuTTY, which is not supported',
      'Convert it with `puttygen FILE.ppk -O private-openssh -o FILE`.',
    )
  }
  return unreadable('what was given as SSH private key is none', 'Give the whole file, from -----BEGIN to -----END.')
}

function unreadable(message: string, hint: string): PosternError {
  return new PosternError('UPSTREAM_SSH_KEY_UNREADABLE', message, { hint })
}
