import { type Kysely, sql } from 'kysely'
import type { Schema } from './schema.ts'

export type CertificatePurpose = 'authority' | 'server'

/** A certificate of Postern's own, with its sealed private key. */
export interface CertificateRow {
  /** UUID. */
  readonly id: string
  readonly purpose: CertificatePurpose
  readonly certificatePem: string
  readonly privateKeySealed: Buffer
  /** DNS names and addresses that a server certificate is for, in the order of the certificate; none for an authority. */
  readonly names: readonly string[]
  readonly notAfter: Date
}

/** The newest certificate of a purpose. */
export async function findCertificate(
  db: Kysely<Schema>,
  purpose: CertificatePurpose,
): Promise<CertificateRow | undefined> {
  const row = await db
    .selectFrom('certificate')
    .selectAll()
    .where('purpose', '=', purpose)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return (
    row && {
      id: row.id,
      purpose: row.purpose,
      certificatePem: row.certificate_pem,
      privateKeySealed: row.private_key_sealed,
      names: row.names,
      notAfter: row.not_after,
    }
  )
}

/** Puts a certificate in the place of every earlier one of its purpose. */
export async function replaceCertificate(db: Kysely<Schema>, certificate: CertificateRow): Promise<void> {
  await db.deleteFrom('certificate').where('purpose', '=', certificate.purpose).execute()
  await db
    .insertInto('certificate')
    .values({
      id: certificate.id,
      purpose: certificate.purpose,
      certificate_pem: certificate.certificatePem,
      private_key_sealed: certificate.privateKeySealed,
      names: [...certificate.names],
      not_after: certificate.notAfter,
    })
    .execute()
}

/** Lets one node at a time make certificates; held until the transaction ends. */
export async function lockCertificates(db: Kysely<Schema>): Promise<void> {
  await sql`lock table certificate in share row exclusive mode`.execute(db)
}
