import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { describeWith, requireTool } from '../../../test/support/requirements.ts'
import { Secret } from '../../base/secret.ts'
import { describePrivateKey } from './describe-private-key.ts'
import { generateSshKeyPair } from './generate-key-pair.ts'

const folder = mkdtempSync(join(tmpdir(), 'ssh-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let made = 0

/** A key as ssh-keygen makes it; its public half without the comment. */
function keyOf(...options: string[]): { key: Secret; text: string; publicKey: string } {
  const file = join(folder, `key${made++}`)
  execFileSync(requireTool('ssh-keygen'), ['-q', '-f', file, '-C', 'someone', ...options])
  const text = readFileSync(file, 'utf8')
  return { key: new Secret(text), text, publicKey: withoutComment(readFileSync(`${file}.pub`, 'utf8')) }
}

function withoutComment(line: string): string {
  return line.split(' ').slice(0, 2).join(' ').trim()
}

function failureOf(work: () => unknown): { code: string; message: string } {
  try {
    work()
  } catch (thrown) {
    return thrown as { code: string; message: string }
  }
  throw new Error('nothing was thrown')
}

describeWith(['sshd'], 'private keys that ssh-keygen made', () => {
  const passphrase = new Secret('correct horse')

  it.each([
    ['ed25519', []],
    ['ecdsa', ['-b', '256']],
    ['ecdsa', ['-b', '384']],
    ['ecdsa', ['-b', '521']],
    ['rsa', ['-b', '2048']],
    ['rsa', ['-b', '2048', '-m', 'PEM']],
    ['ecdsa', ['-m', 'PEM']],
    ['rsa', ['-b', '2048', '-m', 'PKCS8']],
    ['ecdsa', ['-m', 'PKCS8']],
  ])('reads %s with %j, encrypted and not', (type, options) => {
    const open = keyOf('-t', type, ...options, '-N', '')
    expect(describePrivateKey(open.key).publicKey).toBe(open.publicKey)
    const encrypted = keyOf('-t', type, ...options, '-N', 'correct horse')
    expect(describePrivateKey(encrypted.key, passphrase).publicKey).toBe(encrypted.publicKey)
    expect(failureOf(() => describePrivateKey(encrypted.key))).toMatchObject({
      code: 'UPSTREAM_SSH_KEY_UNREADABLE',
      message: 'the SSH private key is encrypted, and there is no passphrase',
    })
    expect(failureOf(() => describePrivateKey(encrypted.key, new Secret('wrong')))).toMatchObject({
      code: 'UPSTREAM_SSH_KEY_UNREADABLE',
      message: 'the passphrase does not open the SSH private key',
    })
  })

  it('reads an ed25519 key of PKCS#8 as openssl writes it', () => {
    const text = execFileSync(requireTool('openssl'), ['genpkey', '-algorithm', 'ed25519']).toString()
    expect(describePrivateKey(new Secret(text)).publicKey).toMatch(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI/)
  })

  it('does not care for line ends and blanks around a pasted key', () => {
    const { text, publicKey } = keyOf('-t', 'ed25519', '-N', '')
    const pasted = new Secret(`\n  ${text.replaceAll('\n', '\r\n')}  \n`)
    expect(describePrivateKey(pasted).publicKey).toBe(publicKey)
  })

  it('says what is wrong with what is no private key', () => {
    const { text, publicKey } = keyOf('-t', 'ed25519', '-N', '')
    const messageOf = (given: string) => failureOf(() => describePrivateKey(new Secret(given))).message
    expect(messageOf(publicKey)).toMatch(/public key/)
    expect(messageOf('PuTTY-User-Key-File-3: ssh-ed25519\n')).toMatch(/PuTTY/)
    expect(messageOf('hunter2')).toMatch(/is none/)
    expect(messageOf(text.replace(/\n.{30}/, '\n'))).toMatch(/damaged/)
    expect(messageOf(text.slice(0, 120))).toMatch(/damaged/)
  })

  it('refuses a key whose derivation would hold up everybody', () => {
    const { text } = keyOf('-t', 'ed25519', '-N', 'x', '-a', '1')
    const body = Buffer.from(text.replaceAll(/-----[A-Z ]+-----/g, ''), 'base64')
    // Magic, `aes256-ctr`, `bcrypt`, then options: length, salt of 16 with its length, rounds.
    const roundsAt = 15 + 4 + 10 + 4 + 6 + 4 + 4 + 16
    expect(body.readUInt32BE(roundsAt)).toBe(1)
    body.writeUInt32BE(0xffffffff, roundsAt)
    const forged = `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`
    expect(failureOf(() => describePrivateKey(new Secret(forged), passphrase)).message).toMatch(/more than 100 rounds/)
  })

  it('makes key pairs that ssh-keygen reads', () => {
    const { privateKey, publicKey } = generateSshKeyPair()
    const file = join(folder, 'generated')
    writeFileSync(file, privateKey.reveal())
    chmodSync(file, 0o600)
    expect(execFileSync(requireTool('ssh-keygen'), ['-y', '-f', file]).toString().trim()).toBe(publicKey)
    expect(describePrivateKey(privateKey).publicKey).toBe(withoutComment(publicKey))
    expect(generateSshKeyPair().publicKey).not.toBe(publicKey)
  })
})
