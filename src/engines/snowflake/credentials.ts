import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../../dialer/data-source-secrets.ts'
import { isRecord } from '../read-body.ts'
import { snowflakeAccount } from './options.ts'

/** Snowflake takes a JWT for at most an hour after it was issued. */
const JWT_LIFE_SECONDS = 3540
const EARLY_SECONDS = 120

/** What goes into the headers of a request. */
export interface SnowflakeCredential {
  /** Value of X-Snowflake-Authorization-Token-Type. */
  readonly tokenType: 'KEYPAIR_JWT' | 'OAUTH' | 'PROGRAMMATIC_ACCESS_TOKEN'
  token(): Secret
  /** Statement that gives the user the public half of our key; undefined where no key is used. */
  readonly setPublicKey: string | undefined
}

/** @throws PosternError INVALID_ARGUMENT for a secret that is missing or cannot be read; its text quotes nothing of it */
export function snowflakeCredential(route: DataSourceRoute, secrets: DataSourceSecrets): SnowflakeCredential {
  if (route.loginMethod === 'access_token') {
    if (secrets.accessToken === undefined) throw invalid('accessToken', 'is missing')
    const { accessToken } = secrets
    return { tokenType: tokenTypeOf(accessToken), token: () => accessToken, setPublicKey: undefined }
  }
  if (secrets.privateKey === undefined) throw invalid('privateKey', 'is missing')
  const key = readPrivateKey(secrets.privateKey, secrets.privateKeyPassphrase)
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const user = route.username.toUpperCase()
  const subject = `${snowflakeAccount(route).name}.${user}`
  const fingerprint = `SHA256:${createHash('sha256').update(publicKey).digest('base64')}`
  return {
    tokenType: 'KEYPAIR_JWT',
    token: keepJwt(key, { iss: `${subject}.${fingerprint}`, sub: subject }),
    setPublicKey: `ALTER USER ${quoteName(user)} SET RSA_PUBLIC_KEY='${publicKey.toString('base64')}'`,
  }
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A new JWT shortly before the last one ends. */
function keepJwt(key: KeyObject, claims: { readonly iss: string; readonly sub: string }): () => Secret {
  let kept: { readonly jwt: Secret; readonly exp: number } | undefined
  return () => {
    const now = Math.floor(Date.now() / 1000)
    if (kept === undefined || kept.exp - EARLY_SECONDS < now) {
      const exp = now + JWT_LIFE_SECONDS
      const parts = [
        { alg: 'RS256', typ: 'JWT' },
        { ...claims, iat: now, exp },
      ]
      const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
      const signature = sign('sha256', Buffer.from(input), key).toString('base64url')
      kept = { jwt: new Secret(`${input}.${signature}`), exp }
    }
    return kept.jwt
  }
}

function readPrivateKey(pem: Secret, passphrase: Secret | undefined): KeyObject {
  const isEncrypted = pem.reveal().includes('ENCRYPTED PRIVATE KEY')
  if (isEncrypted && passphrase === undefined) {
    throw invalid('privateKeyPassphrase', 'is missing: the private key is encrypted')
  }
  try {
    const key = createPrivateKey({ key: pem.reveal(), ...(passphrase && { passphrase: passphrase.reveal() }) })
    if (key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048) return key
  } catch {
    // What could not be read is quoted nowhere: it is a key.
    if (isEncrypted) throw invalid('privateKeyPassphrase', 'does not open the private key')
  }
  throw invalid('privateKey', 'must be an RSA private key of at least 2048 bits in PEM form (PKCS#8)')
}

/** A programmatic access token is a JWT that Snowflake itself issued; the other kind is somebody else's, or opaque. */
function tokenTypeOf(token: Secret): 'OAUTH' | 'PROGRAMMATIC_ACCESS_TOKEN' {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.reveal().split('.')[1] ?? '', 'base64url').toString())
    const issuer = isRecord(claims) ? claims['iss'] : undefined
    return typeof issuer === 'string' && issuer.startsWith('SF:') ? 'PROGRAMMATIC_ACCESS_TOKEN' : 'OAUTH'
  } catch {
    return 'OAUTH'
  }
}

function invalid(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}
