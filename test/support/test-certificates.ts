import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'
import { requireTool } from './requirements.ts'

/** A certificate authority for one test file, made with openssl: Postern's own must not vouch for itself. */
export interface TestAuthority {
  readonly caPem: string
  readonly caFile: string
  readonly caKeyPem: string
  /** A P-256 server certificate for the names and addresses, valid from now for `days`; -1 has expired yesterday. */
  issue(names: readonly string[], days?: number): TlsIdentity
  remove(): void
}

export function createTestAuthority(name: string): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'test-authority-'))
  const file = (base: string): string => join(folder, base)
  const openssl = (...args: string[]): void => {
    execFileSync(requireTool('openssl'), args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl(...request, '-x509', '-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', `/CN=${name}`, '-days', '2')
  return {
    caPem: readFileSync(file('ca.pem'), 'utf8'),
    caFile: file('ca.pem'),
    caKeyPem: readFileSync(file('ca.key'), 'utf8'),
    issue(names, days = 2) {
      const alternativeNames = names.map((each) => `${isIP(each) ? 'IP' : 'DNS'}:${each}`).join(',')
      writeFileSync(file('leaf.ext'), `subjectAltName=${alternativeNames}\n`)
      openssl(...request, '-keyout', file('leaf.key'), '-out', file('leaf.csr'), '-subj', `/CN=${names[0]}`)
      const authority = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
      const extensions = ['-extfile', file('leaf.ext'), '-days', String(days)]
      openssl('x509', '-req', '-in', file('leaf.csr'), ...authority, ...extensions, '-out', file('leaf.pem'))
      return {
        certificateChainPem: readFileSync(file('leaf.pem'), 'utf8'),
        privateKeyPem: readFileSync(file('leaf.key'), 'utf8'),
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
