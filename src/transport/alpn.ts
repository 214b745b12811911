/**
 * The one protocol that our listeners speak above TLS. A client that offers others only is refused by TLS; one that offers none is not.
 * @see https://www.iana.org/assignments/tls-extensiontype-values/tls-extensiontype-values.xhtml#alpn-protocol-ids
 */
export const POSTGRES_ALPN = 'postgresql'
