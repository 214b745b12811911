import { PosternError } from '../base/errors.ts'

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

const CONNECT_REASONS: Readonly<Record<string, readonly [text: string, hint: string]>> = {
  ECONNREFUSED: [
    'nothing listens at the address and port of the database',
    'Check the port, and that the database listens on this address.',
  ],
  ETIMEDOUT: [
    'the database did not answer in time',
    'A firewall between Postern and the database may drop the packets.',
  ],
  EHOSTUNREACH: ['there is no route to the database', 'Check the network between Postern and the database.'],
  ENETUNREACH: [
    'there is no route to the network of the database',
    'Check the network between Postern and the database.',
  ],
  ECONNRESET: [
    'the database closed the session before it answered',
    'Check the port, and the firewall between Postern and the database.',
  ],
  ENOENT: ['the Unix socket of the database does not exist', 'The database is not running.'],
  EACCES: ['the Unix socket of the database may not be opened', 'Check the owner and mode of its folder.'],
}

/** `UPSTREAM_UNREACHABLE` with the reason in words, by errno. */
export function connectFailure(cause: unknown): PosternError {
  if (cause instanceof PosternError) return cause
  const code = errorCode(cause)
  const [text, hint] = (code === undefined ? undefined : CONNECT_REASONS[code]) ?? [
    'the database could not be reached',
    undefined,
  ]
  return new PosternError('UPSTREAM_UNREACHABLE', text, { cause, hint, detail: { errno: code } })
}

const otherName: readonly [string, string] = [
  'the certificate of the database is for another host name',
  'Use a host name that the certificate names, or TLS mode verify-ca.',
]
const unknownAuthority: readonly [string, string] = [
  'the certificate of the database comes from an authority that is not trusted here',
  'Give the certificate authority of the database (tlsCa, --tls-ca-file).',
]
const notValidNow: readonly [string, string] = [
  'the certificate of the database has expired',
  'Renew the certificate of the database.',
]

/** Verification results of OpenSSL and BoringSSL as Node and Bun name them (X509_V_ERR_*). */
const TLS_REASONS: Readonly<Record<string, readonly [text: string, hint: string]>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: otherName,
  HOSTNAME_MISMATCH: otherName,
  CERT_HAS_EXPIRED: notValidNow,
  CERT_NOT_YET_VALID: [
    'the certificate of the database is not valid yet',
    'Check the clocks of Postern and of the database.',
  ],
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  CERT_UNTRUSTED: unknownAuthority,
  INVALID_CA: unknownAuthority,
  CERT_SIGNATURE_FAILURE: [
    'the signature of the certificate of the database is wrong',
    'Give the certificate authority that really signed it.',
  ],
  CERT_REVOKED: ['the certificate of the database was revoked', 'Give the database a new certificate.'],
  INVALID_PURPOSE: [
    'the certificate of the database is not meant for servers',
    'Give the database a certificate for server authentication.',
  ],
  CERT_CHAIN_TOO_LONG: ['the certificate chain of the database is too long', 'Shorten the chain.'],
}

/** A failed TLS handshake: which check failed, by code; anything else is `UPSTREAM_UNREACHABLE`. */
export function tlsFailure(cause: unknown): PosternError {
  if (cause instanceof PosternError) return cause
  const code = errorCode(cause)
  const known = code === undefined ? undefined : TLS_REASONS[code]
  if (known !== undefined) {
    return new PosternError('UPSTREAM_TLS_UNTRUSTED', known[0], { cause, hint: known[1], detail: { tlsCode: code } })
  }
  return new PosternError('UPSTREAM_UNREACHABLE', 'the TLS handshake with the database failed', {
    cause,
    detail: { tlsCode: code },
  })
}
