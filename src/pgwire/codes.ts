/**
 * Numbers of the Postgres frontend/backend protocol, version 3.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

/** SSLRequest: 1234 in the high 16 bits, 5679 in the low. https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST */
export const SSL_REQUEST_CODE = 80877103

/** GSSENCRequest: 1234, 5680. https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-GSSENCREQUEST */
export const GSS_ENCRYPTION_REQUEST_CODE = 80877104

/** CancelRequest: 1234, 5678. https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-CANCELREQUEST */
export const CANCEL_REQUEST_CODE = 80877102

/** First byte of a TLS handshake record (RFC 8446 section 5.1): what a client of direct TLS sends first. */
export const TLS_HANDSHAKE_RECORD = 0x16

/** Name of the Postgres protocol in ALPN. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL */
export const POSTGRES_ALPN_PROTOCOL = 'postgresql'

/** The only major version there is. */
export const PROTOCOL_MAJOR = 3

/**
 * Newest minor version we speak: 3.2, with cancel keys of variable length. There is no 3.1.
 * https://www.postgresql.org/docs/current/protocol.html#PROTOCOL-VERSIONS
 */
export const LATEST_PROTOCOL_MINOR = 2

/** Startup parameters that begin so are protocol options, never settings. */
export const PROTOCOL_OPTION_PREFIX = '_pq_.'

/** Bytes of the first packet, its length field included (MAX_STARTUP_PACKET_LENGTH in src/include/libpq/pqcomm.h). */
export const MAX_STARTUP_PACKET_LENGTH = 10_000

/** Bytes of a message sent during authentication, its length field included (PG_MAX_AUTH_TOKEN_LENGTH in src/include/libpq/auth.h): a password of 65,530 bytes. */
export const MAX_AUTHENTICATION_MESSAGE_LENGTH = 65_535

/** Bytes of a cancel key: exactly 4 in protocol 3.0, 4 to 256 in 3.2. */
export const MIN_CANCEL_KEY_LENGTH = 4
export const MAX_CANCEL_KEY_LENGTH = 256
