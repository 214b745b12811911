import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { describeWith, requireTool } from '../../test/support/requirements.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import type { Clock } from '../base/clock.ts'
import { MasterKey } from '../crypto/master-key.ts'
import type { Store } from '../store/store.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'
import { issueAuthority, issueServerCertificate } from './issue-certificate.ts'
import { ensureServerCertificate, serverCertificateNames } from './server-certificate.ts'
import { loadTlsFiles } from './tls-files.ts'

const DAY_MS = 86_400_000
const masterKey = MasterKey.generate()
const names = serverCertificateNames(['gw.test'], ['10.1.2.3', 'db.example.test', 'localhost'])
const folder = mkdtempSync(join(tmpdir(), 'postern-certificates-'))

let postgres: EmbeddedPostgres
let store: Store
let now = new Date()
const clock: Clock = { now: () => now }
const ensure = (wanted: readonly string[] = names) => ensureServerCertificate({ store, masterKey, clock }, wanted)

beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
}, 60_000)
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await postgres.stop()
})
beforeEach(async () => {
  store = await postgres.freshStore()
  now = new Date()
})

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const openssl = (...args: string[]) =>
  execFileSync(requireTool('openssl'), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const leafOf = (identity: TlsIdentity) => new X509Certificate(identity.certificateChainPem)

/** What a client that trusts `caPem` and expects `host` makes of a server with this identity. */
async function handshake(identity: TlsIdentity, caPem: string, host: string): Promise<string> {
  const server = tls.createServer({ cert: identity.certificateChainPem, key: identity.privateKeyPem }, (socket) =>
    socket.end(),
  )
  server.on('tlsClientError', () => undefined) // the client's side of the failure is what is tested
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    return await new Promise<string>((resolve) => {
      const servername = /^[\d.:]+$/.test(host) ? '' : host
      const checked = {
        checkServerIdentity: (_: string, certificate: tls.PeerCertificate) =>
          tls.checkServerIdentity(host, certificate),
      }
      const socket = tls.connect({ host: '127.0.0.1', port, ca: caPem, servername, ...checked }, () => resolve('ok'))
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
  } finally {
    server.close()
  }
}

describeWith(['openssl'], "Postern's own certificate, as openssl sees it", () => {
  test('is accepted by openssl for each of its names, and for no other', async () => {
    const { caPem, identity } = await ensure()
    const ca = file('ca.pem', caPem)
    const leaf = file('leaf.pem', leafOf(identity).toString())
    const verify = (...args: string[]) =>
      openssl('verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca, ...args, leaf)
    for (const host of ['localhost', 'gw.test', 'sample.gw.test', 'db.example.test']) {
      expect(verify('-verify_hostname', host)).toContain('OK')
    }
    for (const ip of ['127.0.0.1', '::1', '10.1.2.3']) expect(verify('-verify_ip', ip)).toContain('OK')
    expect(() => verify('-verify_hostname', 'a.b.gw.test')).toThrow('Command failed')
    expect(() => verify('-verify_hostname', 'evil.test')).toThrow('Command failed')
    expect(() => verify('-verify_ip', '10.1.2.4')).toThrow('Command failed')
  })

  test('is P-256, for servers only, and its authority may not make further authorities', async () => {
    const { caPem, identity } = await ensure()
    const leaf = openssl('x509', '-in', file('text.pem', leafOf(identity).toString()), '-noout', '-text')
    expect(leaf).toContain('prime256v1')
    expect(leaf).toContain('ecdsa-with-SHA256')
    expect(leaf).toMatch(/Basic Constraints: critical\s+CA:FALSE/)
    expect(leaf).toMatch(/Key Usage: critical\s+Digital Signature\n/)
    expect(leaf).toMatch(/Extended Key Usage:\s+TLS Web Server Authentication\n/)
    expect(leaf).toContain('IP Address:0:0:0:0:0:0:0:1')
    const ca = openssl('x509', '-in', file('ca-text.pem', caPem), '-noout', '-text')
    expect(ca).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
    expect(ca).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/)
  })
})

describe("Postern's own certificate", () => {
  test('comes as a chain, the server first, valid since an hour ago and for 90 days, the authority for ten years', async () => {
    const { caPem, identity, renewAt } = await ensure()
    const chain = identity.certificateChainPem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g)!
    const [leaf, ca] = chain.map((pem) => new X509Certificate(pem)) as [X509Certificate, X509Certificate]
    expect(chain).toHaveLength(2)
    expect(ca.fingerprint256).toBe(new X509Certificate(caPem).fingerprint256)
    expect(leaf.verify(ca.publicKey)).toBe(true)
    const days = (text: string) => (Date.parse(text) - now.getTime()) / DAY_MS
    expect(days(leaf.validFrom)).toBeCloseTo(-1 / 24, 3)
    expect(days(leaf.validTo)).toBeCloseTo(90, 3)
    expect(days(ca.validTo)).toBeCloseTo(3650, 3)
    expect((renewAt.getTime() - now.getTime()) / DAY_MS).toBeCloseTo(60, 1)
  })

  test('is what a client trusts in a handshake, by name and by address, and refuses under another authority or name', async () => {
    const { caPem, identity } = await ensure()
    expect(await handshake(identity, caPem, 'sample.gw.test')).toBe('ok')
    expect(await handshake(identity, caPem, 'localhost')).toBe('ok')
    expect(await handshake(identity, caPem, '127.0.0.1')).toBe('ok')
    expect(await handshake(identity, caPem, 'evil.test')).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    const other = await issueAuthority(now)
    expect(await handshake(identity, other.certificatePem, 'localhost')).not.toBe('ok')
  })

  test('is the same for all nodes that start at once', async () => {
    const made = await Promise.all(Array.from({ length: 4 }, () => ensure()))
    expect(new Set(made.map(({ identity }) => identity.privateKeyPem)).size).toBe(1)
    expect(new Set(made.map(({ caPem }) => caPem)).size).toBe(1)
    const { rows } = await store.pool.query("select action from audit_event where action = 'certificate.issue'")
    expect(rows).toHaveLength(2)
  })

  test('stays until two thirds of its life are over, and is then renewed under the same authority', async () => {
    const first = await ensure()
    now = new Date(first.renewAt.getTime() - 1000)
    expect(await ensure()).toEqual(first)
    now = first.renewAt
    const second = await ensure()
    expect(second.caPem).toBe(first.caPem)
    expect(leafOf(second.identity).serialNumber).not.toBe(leafOf(first.identity).serialNumber)
    expect(await ensure()).toEqual(second)
  })

  test('gains a name at once, and loses one at the next renewal', async () => {
    const first = await ensure(['localhost', 'old.test'])
    const second = await ensure(['localhost', 'new.test'])
    expect(second.names).toEqual(['localhost', 'new.test', 'old.test'])
    expect(leafOf(second.identity).subjectAltName).toContain('DNS:new.test')
    // Two nodes that are configured differently do not renew in turns.
    expect(await ensure(['localhost', 'old.test'])).toEqual(second)
    now = second.renewAt
    expect((await ensure(['localhost', 'new.test'])).names).toEqual(['localhost', 'new.test'])
    expect(first.caPem).toBe(second.caPem)
  })

  test('never outlives its authority, which is replaced before it must', async () => {
    const first = await ensure()
    const authorityEnd = Date.parse(new X509Certificate(first.caPem).validTo)
    now = new Date(authorityEnd - 91 * DAY_MS)
    const second = await ensure()
    expect(second.caPem).toBe(first.caPem)
    now = new Date(authorityEnd - 89 * DAY_MS)
    const third = await ensure()
    expect(third.caPem).not.toBe(first.caPem)
    expect(leafOf(third.identity).verify(new X509Certificate(third.caPem).publicKey)).toBe(true)
  })

  test('cannot be exchanged by a writer of the store for one of his own', async () => {
    await ensure()
    const evil = await issueAuthority(now)
    await store.pool.query("update certificate set certificate_pem = $1 where purpose = 'authority'", [
      evil.certificatePem,
    ])
    await expect(ensure()).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' })
  })

  test('is presented alone when a writer of the store puts an authority of his own beside it', async () => {
    const { caPem, identity } = await ensure()
    const evil = await issueAuthority(now)
    await store.pool.query('update certificate set certificate_pem = certificate_pem || chr(10) || $1', [
      evil.certificatePem,
    ])
    expect(await ensure()).toMatchObject({ caPem, identity })
  })

  test('lies in the store with its key sealed', async () => {
    const { identity } = await ensure()
    const { rows } = await store.pool.query('select certificate_pem, private_key_sealed from certificate')
    for (const row of rows) {
      expect(row.certificate_pem).not.toContain('PRIVATE')
      expect(row.private_key_sealed.includes('PRIVATE')).toBe(false)
    }
    expect(identity.privateKeyPem).toContain('BEGIN PRIVATE KEY')
  })
})

describe("the operator's own files", () => {
  async function files(name: string, issuedAt = new Date()) {
    const authority = await issueAuthority(issuedAt)
    const leaf = await issueServerCertificate(authority, ['postern.test'], issuedAt)
    return {
      certificate: file(`${name}.crt`, `${leaf.certificatePem}\n${authority.certificatePem}\n`),
      key: file(`${name}.key`, leaf.privateKey.reveal()),
      leaf,
      authority,
    }
  }

  test('are taken when they belong together', async () => {
    const { certificate, key, authority } = await files('good')
    const identity = loadTlsFiles(certificate, key, now)
    expect(await handshake(identity, authority.certificatePem, 'postern.test')).toBe('ok')
  })

  test('are refused with the reason', async () => {
    const { certificate, key, leaf, authority } = await files('one')
    const other = await files('two')
    const old = await files('old', new Date(Date.now() - 100 * DAY_MS))
    const reversed = file('reversed.crt', `${authority.certificatePem}\n${leaf.certificatePem}`)
    const disordered = file('disordered.crt', `${leaf.certificatePem}\n${other.authority.certificatePem}`)
    const locked = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { format: 'pem', type: 'spki' },
      privateKeyEncoding: { format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' },
    }).privateKey
    const refused = (certificateFile: string, keyFile: string, text: string | RegExp) => {
      expect(() => loadTlsFiles(certificateFile, keyFile, now)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      )
      expect(() => loadTlsFiles(certificateFile, keyFile, now)).toThrow(text)
    }
    refused(join(folder, 'missing.crt'), key, 'missing.crt: cannot be read (ENOENT)')
    refused(folder, key, 'cannot be read (EISDIR)')
    refused(file('empty.crt', ''), key, 'holds no certificate in PEM form')
    refused(file('broken.crt', leaf.certificatePem.replace('MII', 'AAA')), key, 'cannot be read')
    refused(certificate, file('not.key', 'nonsense'), 'holds no private key in PEM form')
    refused(certificate, file('locked.key', locked), 'has a passphrase')
    refused(certificate, other.key, 'belongs to another certificate')
    refused(reversed, key, 'belongs to another certificate')
    refused(disordered, key, 'certificate 1 was not issued by certificate 2')
    refused(old.certificate, old.key, /the certificate expired on \d{4}-/)
  })

  test('are never taken while only one of the two has been replaced', async () => {
    const { certificate, key } = await files('live')
    loadTlsFiles(certificate, key, now)
    const fresh = await issueServerCertificate(await issueAuthority(now), ['postern.test'], now)
    writeFileSync(certificate, fresh.certificatePem)
    expect(() => loadTlsFiles(certificate, key, now)).toThrow('belongs to another certificate')
    writeFileSync(key, fresh.privateKey.reveal())
    expect(loadTlsFiles(certificate, key, now).certificateChainPem).toBe(fresh.certificatePem)
  })
})
