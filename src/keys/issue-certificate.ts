import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
// oxlint-disable-next-line import/no-unassigned-import -- in place before the next import
import './reflect-polyfill.ts'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { Secret } from '../base/secret.ts'
import { isIpAddress } from '../config/ip-address.ts'
import { AUTHORITY_LIFE_MS, SERVER_CERTIFICATE_LIFE_MS } from './certificate-life.ts'

/** A certificate and the private key that belongs to it. */
export interface IssuedCertificate {
  readonly certificatePem: string
  /** PKCS #8 PEM. */
  readonly privateKey: Secret
  readonly notAfter: Date
}

/** Between clocks: a certificate that is valid from this very second is refused by a client that is behind. */
const BACKDATED_MS = 60 * 60 * 1000

/** P-256: signing with it costs a twentieth of RSA-2048, and a login is mostly that. */
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** Makes a certificate authority for ten years. It may issue server certificates, and no further authorities. */
export async function issueAuthority(now: Date): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  // The name is unique, so that a client which trusts two deployments is not confused by their authorities.
  const name = `CN=Postern certificate authority ${randomBytes(4).toString('hex')}, O=Postern`
  const notAfter = new Date(now.getTime() + AUTHORITY_LIFE_MS)
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: name,
    issuer: name,
    notBefore: new Date(now.getTime() - BACKDATED_MS),
    notAfter,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: certificate.toString('pem'), privateKey: await exportKey(keys.privateKey), notAfter }
}

/**
 * Makes a server certificate for 90 days, or for as long as the authority has left.
 * @param names DNS names, a wildcard label in front allowed, and IP addresses
 */
export async function issueServerCertificate(
  authority: { readonly certificatePem: string; readonly privateKey: Secret },
  names: readonly string[],
  now: Date,
): Promise<IssuedCertificate> {
  const issuer = new X509Certificate(authority.certificatePem)
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const notBefore = new Date(Math.max(now.getTime() - BACKDATED_MS, issuer.notBefore.getTime()))
  const notAfter = new Date(Math.min(now.getTime() + SERVER_CERTIFICATE_LIFE_MS, issuer.notAfter.getTime()))
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isIpAddress(value) ? ('ip' as const) : ('dns' as const), value })),
    ),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ]
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=Postern gateway, O=Postern',
    issuer: issuer.subject,
    notBefore,
    notAfter,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.privateKey),
    signingAlgorithm: algorithm,
    extensions,
  })
  return { certificatePem: certificate.toString('pem'), privateKey: await exportKey(keys.privateKey), notAfter }
}

/** 127 random bits: positive in DER, and never zero (RFC 5280 section 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}

async function exportKey(key: webcrypto.CryptoKey): Promise<Secret> {
  return new Secret(`${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`)
}

function importKey(privateKey: Secret): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(privateKey.reveal()).export({ format: 'der', type: 'pkcs8' })
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
}
