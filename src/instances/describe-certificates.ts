import type { X509Certificate } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import type { DataSource } from '../contract/data-sources.ts'
import { readCertificates } from '../dialer/tls-settings.ts'
import type { DataSourceRow } from '../store/data-sources.ts'

const DAY_MS = 86_400_000

/** The certificates that a data source holds itself, authorities first. Those of files are read when they are used. */
export function describeCertificates(
  { tlsCa, tlsClientCertificate }: Pick<DataSourceRow, 'tlsCa' | 'tlsClientCertificate'>,
  now: Date,
): DataSource['certificates'] {
  const client = readable(tlsClientCertificate, 'tlsClientCertificate').slice(0, 1)
  return [
    ...readable(tlsCa, 'tlsCa').map((certificate) => describe('ca', certificate, now)),
    ...client.map((certificate) => describe('client', certificate, now)),
  ]
}

function describe(use: 'ca' | 'client', certificate: X509Certificate, now: Date): DataSource['certificates'][number] {
  const notAfter = new Date(certificate.validTo)
  return {
    use,
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    notAfter: notAfter.toISOString(),
    daysLeft: Math.floor((notAfter.getTime() - now.getTime()) / DAY_MS),
  }
}

/** None where the text cannot be read: it is checked before it is stored, and showing a data source must not fail for it. */
function readable(pem: string | null, field: string): readonly X509Certificate[] {
  if (pem === null) return []
  try {
    return readCertificates(pem, field)
  } catch (thrown) {
    if (thrown instanceof PosternError) return []
    throw thrown
  }
}

/** Names come with a part on each line; some have none. */
function oneLine(name: string | undefined): string {
  return (name ?? '').trim().replaceAll('\n', ', ')
}
