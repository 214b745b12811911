import { PosternError, type ErrorCode } from '../base/errors.ts'
import { readTlsReason } from './tls-reason.ts'

/** Code of a system or TLS error, wherever the runtime put it. */
export function errorCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const { code, cause } = thrown as { code?: unknown; cause?: unknown }
  return typeof code === 'string' ? code : errorCode(cause)
}

/** `UPSTREAM_NAME_UNKNOWN` for a failed look-up; the resolver's own text stays in the log. */
export function resolveFailure(cause: unknown): PosternError {
  const text =
    errorCode(cause) === 'EAI_AGAIN'
      ? 'the name resolver did not answer'
      : 'the host name of the database does not resolve'
  return new PosternError('UPSTREAM_NAME_UNKNOWN', text, { cause })
}

type Reason = readonly [code: ErrorCode, text: string, hint: string]

const closedEarly: Reason = [
  'UPSTREAM_UNREACHABLE',
  'the database closed the session before it answered',
  'Check the port, and the firewall between Postern and the database.',
]

const CONNECT_REASONS: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: [
    'UPSTREAM_PORT_CLOSED',
    'nothing listens at the address and port of the database',
    'Check the port, and that the database listens on this address.',
  ],
  ETIMEDOUT: [
    'UPSTREAM_TIMED_OUT',
    'the database did not answer in time',
    'Packets are probably dropped: admit the addresses of Postern in the firewall or security group of the database.',
  ],
  EHOSTUNREACH: [
    'UPSTREAM_UNREACHABLE',
    'there is no route to the database',
    'Check the network between Postern and the database.',
  ],
  ENETUNREACH: [
    'UPSTREAM_UNREACHABLE',
    'there is no route to the network of the database',
    'Check the network between Postern and the database.',
  ],
  ECONNRESET: closedEarly,
  EPIPE: closedEarly,
  ENOENT: ['UPSTREAM_UNREACHABLE', 'the Unix socket of the database does not exist', 'The database is not running.'],
  EACCES: [
    'UPSTREAM_UNREACHABLE',
    'the Unix socket of the database may not be opened',
    'Check the owner and mode of its folder.',
  ],
}

/**
 * Why a socket could not be opened, or ended: by errno, or by the TLS alert that the server ended it with (a client certificate
 * that TLS 1.3 refuses is only told after the handshake).
 */
export function connectFailure(cause: unknown): PosternError {
  if (cause instanceof PosternError) return cause
  const alert = tlsAlertFailure(cause)
  if (alert !== undefined) return alert
  const code = errorCode(cause)
  const known = code === undefined ? undefined : CONNECT_REASONS[code]
  const [row, text, hint] = known ?? (['UPSTREAM_UNREACHABLE', 'the database could not be reached', undefined] as const)
  return new PosternError(row, text, { cause, hint, detail: { errno: code } })
}

const otherName: Reason = [
  'UPSTREAM_TLS_WRONG_NAME',
  'the certificate of the database is for another host name',
  'Use a host name that the certificate names, or TLS mode verify-ca with the authority of the database.',
]
const unknownAuthority: Reason = [
  'UPSTREAM_TLS_UNTRUSTED',
  'the certificate of the database comes from an authority that is not trusted here',
  'Give the certificate authority of the database (tlsCa, --tls-ca-file).',
]

/** Verification results of OpenSSL and BoringSSL as Node and Bun name them (X509_V_ERR_*). */
const VERIFY_REASONS: Readonly<Record<string, Reason>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: otherName,
  HOSTNAME_MISMATCH: otherName,
  CERT_HAS_EXPIRED: [
    'UPSTREAM_TLS_EXPIRED',
    'the certificate of the database has expired',
    'Renew the certificate of the database.',
  ],
  CERT_NOT_YET_VALID: [
    'UPSTREAM_TLS_EXPIRED',
    'the certificate of the database is not valid yet',
    'Check the clocks of Postern and of the database.',
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: [
    'UPSTREAM_TLS_SELF_SIGNED',
    'the certificate of the database is signed by itself and not trusted here',
    'If it is really the one of the database, give it as the certificate authority (tlsCa, --tls-ca-file).',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  CERT_UNTRUSTED: unknownAuthority,
  INVALID_CA: unknownAuthority,
  CERT_SIGNATURE_FAILURE: [
    'UPSTREAM_TLS_UNTRUSTED',
    'the signature of the certificate of the database is wrong',
    'Give the certificate authority that really signed it.',
  ],
  CERT_REVOKED: [
    'UPSTREAM_TLS_UNTRUSTED',
    'the certificate of the database was revoked',
    'Give the database a new certificate.',
  ],
  INVALID_PURPOSE: [
    'UPSTREAM_TLS_UNTRUSTED',
    'the certificate of the database is not meant for servers',
    'Give the database a certificate for server authentication.',
  ],
  CERT_CHAIN_TOO_LONG: [
    'UPSTREAM_TLS_UNTRUSTED',
    'the certificate chain of the database is too long',
    'Shorten the chain.',
  ],
}

const clientCertificateRefused: Reason = [
  'UPSTREAM_TLS_CLIENT_CERTIFICATE',
  'the database refused the client certificate',
  'Give a certificate of the authority that the database trusts for clients (tlsClientCertificate, tlsClientKey), valid now.',
]
const nothingInCommon: Reason = [
  'UPSTREAM_TLS_INCOMPATIBLE',
  'the database ended the TLS handshake: no cipher, group or signature in common, or it wants a client certificate',
  'Postern offers AES-GCM and ChaCha20 ciphers with X25519, P-256 or P-384: no CBC-SHA384 or DHE-only servers, no P-521, no ' +
    'RSA-PSS or Ed448 keys. Where the database asks for a client certificate, give it.',
]

/** By the number of the alert that the server sent (RFC 8446 section 6). */
const ALERT_REASONS: Readonly<Record<number, Reason>> = {
  40: nothingInCommon,
  42: clientCertificateRefused,
  43: clientCertificateRefused,
  44: clientCertificateRefused,
  45: clientCertificateRefused,
  46: clientCertificateRefused,
  48: clientCertificateRefused,
  49: clientCertificateRefused,
  51: clientCertificateRefused,
  70: [
    'UPSTREAM_TLS_INCOMPATIBLE',
    'the database speaks no TLS version that Postern does',
    'Enable TLS 1.2 or 1.3 on the database.',
  ],
  71: nothingInCommon,
  112: [
    'UPSTREAM_TLS_WRONG_NAME',
    'the server knows no certificate for this host name',
    'Use the host name that the provider of the database gave for it.',
  ],
  116: [
    'UPSTREAM_TLS_CLIENT_CERTIFICATE',
    'the database asks for a client certificate',
    'Give the client certificate and key that the database expects (tlsClientCertificate, tlsClientKey).',
  ],
}

/** The failure that a TLS alert of the server stands for, or undefined when `thrown` is none. */
export function tlsAlertFailure(thrown: unknown): PosternError | undefined {
  const reason = readTlsReason(thrown)
  const known = reason?.kind === 'alert' ? ALERT_REASONS[reason.number] : undefined
  return known && new PosternError(known[0], known[1], { cause: thrown, hint: known[2], detail: { tlsAlert: reason } })
}

/** A failed TLS handshake: which check failed, by code and alert; anything else is `UPSTREAM_UNREACHABLE`. */
export function tlsFailure(cause: unknown): PosternError {
  if (cause instanceof PosternError) return cause
  const code = errorCode(cause)
  const known = code === undefined ? undefined : VERIFY_REASONS[code]
  if (known !== undefined) {
    return new PosternError(known[0], known[1], { cause, hint: known[2], detail: { tlsCode: code } })
  }
  const alert = tlsAlertFailure(cause)
  if (alert !== undefined) return alert
  if (readTlsReason(cause)?.kind === 'not-tls') {
    return new PosternError('UPSTREAM_TLS_REFUSED', 'what answers at the port of the database does not speak TLS', {
      cause,
      hint: 'Use the TLS port of the database, or choose TLS mode disable by name.',
    })
  }
  const text = 'the database ended the TLS handshake'
  const hint = 'Check that the port is one for TLS, and the log of the database for the reason.'
  return new PosternError('UPSTREAM_UNREACHABLE', text, { cause, hint, detail: { tlsCode: code } })
}
