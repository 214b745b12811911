import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto'
import type { Kysely } from 'kysely'
import { recordAudit } from '../audit/record-audit.ts'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { open, seal, type SealContext } from '../crypto/seal.ts'
import {
  type CertificatePurpose,
  type CertificateRow,
  findCertificate,
  lockCertificates,
  replaceCertificate,
} from '../store/certificates.ts'
import type { Schema } from '../store/schema.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'
import { SERVER_CERTIFICATE_LIFE_MS } from './certificate-life.ts'
import type { IssuedCertificate } from './issue-certificate.ts'

/** What a gateway presents, and what its clients trust. */
export interface ServerCertificate {
  /** Certificate of our own authority, for clients to trust (`sslrootcert`). */
  readonly caPem: string
  /** The server's certificate, then the authority's; and the server's key. */
  readonly identity: TlsIdentity
  readonly names: readonly string[]
  /** When to ask again: two thirds of the certificate's life are over. */
  readonly renewAt: Date
}

interface OpenedCertificate {
  readonly certificate: X509Certificate
  readonly certificatePem: string
  readonly privateKey: Secret
  readonly names: readonly string[]
}

interface CertificateDependencies {
  readonly store: { readonly db: Kysely<Schema> }
  readonly masterKey: MasterKey
  readonly clock: Clock
}

const NAMES_MAX = 100

/** The names that Postern's own certificate is for: this machine, the gateway domain, every instance in it, and what was asked for. */
export function serverCertificateNames(gatewayDomains: readonly string[], extraNames: readonly string[]): string[] {
  const domains = gatewayDomains.flatMap((domain) => [domain, `*.${domain}`])
  return [...new Set(['localhost', ...domains, '127.0.0.1', '::1', ...extraNames])]
}

/**
 * The certificate that all gateways of a deployment share, made when there is none, when two thirds of its life are over and
 * when it lacks one of `names`. Nodes that start at once end up with the same one. A name that is no longer asked for stays in
 * until the next renewal: another node may still be asking for it.
 *
 * @throws PosternError SECRET_UNREADABLE when a stored certificate does not belong to its sealed key
 */
export async function ensureServerCertificate(
  deps: CertificateDependencies,
  names: readonly string[],
): Promise<ServerCertificate> {
  const found = await readCertificates(deps, deps.store.db)
  if (found.server !== undefined && found.authority !== undefined && isGood(found.server, names, deps.clock.now())) {
    return present(found.authority, found.server)
  }
  return deps.store.db.transaction().execute(async (db) => {
    await lockCertificates(db)
    // Another node may have made them while this one waited for the lock.
    const { authority: oldAuthority, server: oldServer } = await readCertificates(deps, db)
    const now = deps.clock.now()
    if (oldServer !== undefined && oldAuthority !== undefined && isGood(oldServer, names, now))
      return present(oldAuthority, oldServer)
    await import('./reflect-polyfill.ts') // loaded at once with the next, it has been seen to run after it
    const issuing = await import('./issue-certificate.ts') // slow to load, and rarely needed
    const authority = oldAuthority ?? (await save(deps, db, 'authority', [], await issuing.issueAuthority(now)))
    const wanted = namesFor(oldServer, names, now)
    const server = await save(deps, db, 'server', wanted, await issuing.issueServerCertificate(authority, wanted, now))
    return present(authority, server)
  })
}

/** Certificates in force. An authority that would not outlive a new server certificate is not in force any more. */
async function readCertificates(
  { masterKey, clock }: CertificateDependencies,
  db: Kysely<Schema>,
): Promise<{ authority?: OpenedCertificate; server?: OpenedCertificate }> {
  const authorityRow = await findCertificate(db, 'authority')
  if (authorityRow === undefined) return {}
  const authority = openCertificate(masterKey, authorityRow)
  if (Date.parse(authority.certificate.validTo) - clock.now().getTime() < SERVER_CERTIFICATE_LIFE_MS) return {}
  const serverRow = await findCertificate(db, 'server')
  const server = serverRow && openCertificate(masterKey, serverRow)
  return { authority, server: server?.certificate.verify(authority.certificate.publicKey) ? server : undefined }
}

function isGood(server: OpenedCertificate, names: readonly string[], now: Date): boolean {
  return !isTwoThirdsOver(server, now) && names.every((name) => server.names.includes(name))
}

function isTwoThirdsOver({ certificate }: OpenedCertificate, now: Date): boolean {
  return renewalOf(certificate) <= now
}

function renewalOf(certificate: X509Certificate): Date {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
  return new Date(from + ((to - from) * 2) / 3)
}

/** Nodes that are configured differently must not renew in turns for ever, so a young certificate only ever gains names. */
function namesFor(old: OpenedCertificate | undefined, names: readonly string[], now: Date): readonly string[] {
  if (old === undefined || isTwoThirdsOver(old, now)) return names
  const union = [...new Set([...names, ...old.names])]
  return union.length <= NAMES_MAX ? union : names
}

async function save(
  { masterKey }: CertificateDependencies,
  db: Kysely<Schema>,
  purpose: CertificatePurpose,
  names: readonly string[],
  issued: IssuedCertificate,
): Promise<OpenedCertificate> {
  const { certificatePem, privateKey, notAfter } = issued
  const id = randomUUID()
  const privateKeySealed = seal(masterKey, privateKey, sealContext({ id, purpose }))
  await replaceCertificate(db, { id, purpose, certificatePem, privateKeySealed, names, notAfter })
  const certificate = new X509Certificate(certificatePem)
  await recordAudit(db, {
    action: 'certificate.issue',
    outcome: 'allowed',
    workspaceId: null,
    targetType: 'key',
    targetId: id,
    detail: { purpose, names, sha256: certificate.fingerprint256, notAfter: notAfter.toISOString() },
  })
  return { certificate, certificatePem: certificate.toString(), privateKey, names }
}

/**
 * The certificate is held against its key: whoever may write the store could otherwise put a certificate of his own there, and
 * clients would be told to trust his authority.
 */
function openCertificate(masterKey: MasterKey, row: CertificateRow): OpenedCertificate {
  const privateKey = open(masterKey, row.privateKeySealed, sealContext(row))
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(row.certificatePem)
  } catch (cause) {
    throw foreign(row, cause)
  }
  if (!certificate.checkPrivateKey(createPrivateKey(privateKey.reveal()))) throw foreign(row, undefined)
  // Not the column itself: what stands behind the first certificate there would be trusted as well.
  return { certificate, certificatePem: certificate.toString(), privateKey, names: row.names }
}

function foreign(row: CertificateRow, cause: unknown): PosternError {
  return new PosternError(
    'SECRET_UNREADABLE',
    `The stored ${row.purpose} certificate does not belong to its private key`,
    {
      detail: { table: 'certificate', row: row.id },
      cause,
    },
  )
}

function present(authority: OpenedCertificate, server: OpenedCertificate): ServerCertificate {
  return {
    caPem: authority.certificatePem,
    identity: {
      certificateChainPem: server.certificatePem + authority.certificatePem,
      privateKeyPem: server.privateKey.reveal(),
    },
    names: server.names,
    renewAt: renewalOf(server.certificate),
  }
}

function sealContext({ id, purpose }: Pick<CertificateRow, 'id' | 'purpose'>): SealContext {
  return { table: 'certificate', row: `${purpose}/${id}`, field: 'private_key_sealed' }
}
