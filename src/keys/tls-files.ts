import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { PosternError } from '../base/errors.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'

/**
 * Reads the operator's own certificate chain and private key, and checks what a client would otherwise find out. Call it again to
 * notice that they were replaced: while only one of the two is new it throws, and the old identity is to be kept.
 *
 * @param certificateFile PEM, the server's certificate first, then the intermediates
 * @param keyFile PEM, without a passphrase
 * @throws PosternError CONFIG_INVALID: a file is unreadable or not PEM, the key belongs to another certificate, the chain is out of
 *   order, or the certificate has expired
 */
export function loadTlsFiles(certificateFile: string, keyFile: string, now: Date): TlsIdentity {
  const certificateChainPem = read(certificateFile)
  const privateKeyPem = read(keyFile)
  const [server, ...intermediates] = readChain(certificateFile, certificateChainPem)
  if (!server.checkPrivateKey(readKey(keyFile, privateKeyPem))) {
    throw invalid(
      `${keyFile}: this private key belongs to another certificate than the first one in ${certificateFile}`,
    )
  }
  checkOrder(certificateFile, [server, ...intermediates])
  if (Date.parse(server.validTo) <= now.getTime()) {
    throw invalid(`${certificateFile}: the certificate expired on ${new Date(server.validTo).toISOString()}`)
  }
  return { certificateChainPem, privateKeyPem }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalid(`${file}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'})`, cause)
  }
}

function readChain(file: string, pem: string): [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    const [server, ...intermediates] = blocks.map((block) => new X509Certificate(block))
    if (server !== undefined) return [server, ...intermediates]
  } catch (cause) {
    throw invalid(`${file}: holds a certificate that cannot be read`, cause)
  }
  throw invalid(`${file}: holds no certificate in PEM form`)
}

function readKey(file: string, pem: string): KeyObject {
  if (pem.includes('ENCRYPTED'))
    throw invalid(`${file}: the private key has a passphrase; Postern needs it without one`)
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw invalid(`${file}: holds no private key in PEM form`, cause)
  }
}

function checkOrder(file: string, chain: readonly X509Certificate[]): void {
  chain.forEach((certificate, index) => {
    const issuer = chain[index + 1]
    if (issuer !== undefined && !certificate.verify(issuer.publicKey)) {
      throw invalid(
        `${file}: certificate ${index + 1} was not issued by certificate ${index + 2}; put the server's first, each issuer after it`,
      )
    }
  })
}

function invalid(message: string, cause?: unknown): PosternError {
  return new PosternError('CONFIG_INVALID', message, { cause })
}
