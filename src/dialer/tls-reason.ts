/** Why TLS failed, as far as the TLS library numbers it. */
export type TlsReason =
  /** The server said so, by an alert (RFC 8446 section 6). */
  | { readonly kind: 'alert'; readonly number: number }
  /** What came is no TLS. */
  | { readonly kind: 'not-tls' }

/** The library's own number: eight hexadecimal digits, of which the last ones are the reason. */
const PACKED_ERROR = /^(?:[A-Z]+: )?error:([0-9a-f]{2})([0-9a-f]{6}):/i
/** Reasons above this are alerts of the peer (SSL_AD_REASON_OFFSET of OpenSSL and BoringSSL). */
const ALERT_OFFSET = 1000
/** WRONG_VERSION_NUMBER, by library, since both number their own: BoringSSL is library 0x10, OpenSSL 3 is 0x0a. */
const NOT_TLS: Readonly<Record<string, number>> = { '10': 247, '0a': 267 }

/** Reads the number that the TLS library gave the failure; the runtimes pass it on at the beginning of the error's text alone. */
export function readTlsReason(thrown: unknown): TlsReason | undefined {
  if (!(thrown instanceof Error)) return undefined
  const packed = PACKED_ERROR.exec(thrown.message)
  if (packed === null) return readTlsReason(thrown.cause)
  const library = (packed[1] ?? '').toLowerCase()
  const reason = Number.parseInt(packed[2] ?? '', 16) & 0xfff
  if (reason > ALERT_OFFSET) return { kind: 'alert', number: reason - ALERT_OFFSET }
  return NOT_TLS[library] === reason ? { kind: 'not-tls' } : undefined
}
