import { X509Certificate } from 'node:crypto'
import type { TlsClientOptions, TlsPeer } from '../transport/byte-socket.ts'

/** What the stage `tls` of a report tells. Dates are ISO 8601. */
export type TlsStageDetail = Readonly<{
  protocol: string
  cipher: string | null
  subject: string | null
  issuer: string | null
  /** DNS names and addresses that the certificate is for. */
  names: readonly string[]
  notAfter: string | null
  daysLeft: number | null
  /** What was verified of it: `full` chain and name, `chain`, or `none`. */
  verified: TlsClientOptions['verify']
  /** End of the certificate that we presented; null where we have none. */
  clientNotAfter: string | null
  clientDaysLeft: number | null
}>

const WARN_DAYS = 30
const DAY_MS = 86_400_000

/** The TLS of a finished handshake, for people to read. */
export function describeTlsPeer(peer: TlsPeer, settings: TlsClientOptions, now: Date): TlsStageDetail {
  const certificate = peer.certificate && new X509Certificate(peer.certificate)
  const client = settings.certificatePem === undefined ? undefined : new X509Certificate(settings.certificatePem)
  return {
    protocol: peer.protocol,
    cipher: peer.cipher ?? null,
    subject: oneLine(certificate?.subject),
    issuer: oneLine(certificate?.issuer),
    names: alternativeNames(certificate?.subjectAltName),
    ...validity(certificate, now, 'notAfter', 'daysLeft'),
    verified: settings.verify,
    ...validity(client, now, 'clientNotAfter', 'clientDaysLeft'),
  }
}

/** Sentences for the warnings of a report: a certificate that ends within 30 days, the server's or ours. */
export function tlsWarnings(detail: Readonly<Record<string, unknown>>): readonly string[] {
  const ends = (who: string, days: unknown, at: unknown): string[] => {
    if (typeof days !== 'number' || typeof at !== 'string' || days > WARN_DAYS) return []
    const day = at.slice(0, 10)
    if (days < 0) return [`${who} ended on ${day}`]
    return [`${who} ends in ${days} ${days === 1 ? 'day' : 'days'}, on ${day}: renew it before`]
  }
  return [
    ...ends('the TLS certificate of the server', detail['daysLeft'], detail['notAfter']),
    ...ends('the client certificate of this data source', detail['clientDaysLeft'], detail['clientNotAfter']),
  ]
}

function validity<At extends string, Days extends string>(
  certificate: X509Certificate | undefined,
  now: Date,
  at: At,
  days: Days,
): Record<At, string | null> & Record<Days, number | null> {
  const end = certificate && new Date(certificate.validTo)
  const left = end && Math.floor((end.getTime() - now.getTime()) / DAY_MS)
  return { [at]: end?.toISOString() ?? null, [days]: left ?? null } as Record<At, string | null> &
    Record<Days, number | null>
}

function oneLine(name: string | undefined): string | null {
  return name === undefined ? null : name.trim().replaceAll('\n', ', ')
}

/** `DNS:a.test, IP Address:127.0.0.1`: the kind is left out. Names in quotes hold commas, which no host name does. */
function alternativeNames(text: string | undefined): readonly string[] {
  return (text ?? '').split(', ').flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? [])
}
