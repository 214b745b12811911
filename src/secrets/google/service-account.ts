import { createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { PosternError } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import { parseObjectOrEmpty } from '../secret-json.ts'

/** What we need of the JSON key that Google's console gives out for a service account. */
export interface ServiceAccountKey {
  readonly clientEmail: string
  readonly tokenUri: string
  readonly keyId: string
  readonly privateKey: KeyObject
}

/** Google takes at most an hour (RFC 7523 use: developers.google.com/identity/protocols/oauth2/service-account). */
const ASSERTION_LIFE_SECONDS = 3600

/**
 * Reads an uploaded JSON key. Other kinds of Google credentials name addresses and programs to be called, so they are refused.
 * @throws PosternError INVALID_ARGUMENT saying what is wrong with it, and nothing of what it holds
 */
export function readServiceAccountKey(json: Secret): ServiceAccountKey {
  const fields = parseObjectOrEmpty(Buffer.from(json.reveal()))
  if (Object.keys(fields).length === 0) throw invalid('is not JSON: upload the file that Google gave out, as it is')
  if (fields['type'] !== 'service_account') throw invalid('is not the key of a service account (type service_account)')
  const { client_email, token_uri, private_key_id, private_key, universe_domain } = fields
  if (typeof client_email !== 'string' || typeof token_uri !== 'string' || typeof private_key !== 'string') {
    throw invalid('lacks client_email, token_uri or private_key')
  }
  if (universe_domain !== undefined && universe_domain !== 'googleapis.com') {
    throw invalid('belongs to another cloud than googleapis.com')
  }
  return {
    clientEmail: client_email,
    tokenUri: token_uri,
    keyId: typeof private_key_id === 'string' ? private_key_id : '',
    privateKey: rsaKey(private_key),
  }
}

/** A signed assertion (RFC 7523) that the token endpoint trades for an access token. */
export function signAssertion(key: ServiceAccountKey, scopes: readonly string[], issuedAt: Date): string {
  const iat = Math.floor(issuedAt.getTime() / 1000)
  const header = { alg: 'RS256', typ: 'JWT', kid: key.keyId }
  const claims = {
    iss: key.clientEmail,
    scope: scopes.join(' '),
    aud: key.tokenUri,
    iat,
    exp: iat + ASSERTION_LIFE_SECONDS,
  }
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${sign('sha256', Buffer.from(input), key.privateKey).toString('base64url')}`
}

function rsaKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'rsa') return key
  } catch {
    // What could not be read is quoted nowhere: it is a key.
  }
  throw invalid('holds no readable RSA private key')
}

function invalid(reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `serviceAccount ${reason}`, { detail: { field: 'serviceAccount' } })
}
