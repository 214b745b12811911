import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { AzureSecretReference } from '../contract/secret-references.ts'
import { azureToken, isAmbient } from './azure-identity.ts'
import { refuseForeignEndpoint, requireAmbientSecret, requireStoreOrigin } from './operator-policy.ts'
import { invalidAnswer, parseObject } from './secret-json.ts'
import type { SecretDocument, SecretSource } from './secret-source.ts'

const SERVICE = 'Azure Key Vault'
const API_VERSION = '7.4'
/** Vaults of Microsoft, of its clouds for governments and of China. */
const VAULT_HOST = /^[a-z0-9-]{3,24}\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)$/i

/**
 * Azure Key Vault, Get Secret (https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret). The token is asked for the
 * domain of the vault, so that it is worth nothing elsewhere.
 */
export const azureKeyVaultSource: SecretSource<AzureSecretReference> = {
  documentOf: (reference) => [reference],
  keyOf: () => '',
  hostOf: ({ vaultUrl }) => new URL(vaultUrl).host,
  async fetch(reference, context): Promise<SecretDocument> {
    const { vaultUrl, name, version } = reference
    const url = new URL(vaultUrl)
    if (isAmbient(reference)) {
      requireAmbientSecret(`${url.host}/${name}`, context.policy)
      if (!VAULT_HOST.test(url.hostname)) refuseForeignEndpoint(vaultUrl)
    }
    requireStoreOrigin(url, context.policy)
    url.pathname = `/secrets/${name}${version === undefined ? '' : `/${version}`}`
    url.search = `?api-version=${API_VERSION}`
    const domain = VAULT_HOST.exec(url.hostname)?.[1] ?? 'azure.net'
    const { token } = await azureToken(reference, `https://vault.${domain}/.default`, context)
    const { status, body } = await context.http.request({
      method: 'GET',
      url,
      headers: { accept: 'application/json', authorization: `Bearer ${token.reveal()}` },
      signal: context.signal,
    })
    if (status !== 200) throw refusal(status, name, url.host)
    const { value, id } = parseObject(body, SERVICE)
    if (typeof value !== 'string' || value === '') throw invalidAnswer(SERVICE, 'the answer holds no value')
    const found = typeof id === 'string' ? (id.split('/').at(-1) ?? null) : null
    return { values: new Map([['', new Secret(value)]]), version: found, leaseMs: null }
  },
}

function refusal(status: number, name: string, host: string): PosternError {
  if (status === 401 || status === 403) {
    return new PosternError('SECRET_SOURCE_DENIED', `${SERVICE} ${host} denies the secret ${name}`, {
      hint: 'Grant the role Key Vault Secrets User on it (or the access policy Get), and admit Postern in the firewall of the vault.',
    })
  }
  if (status === 404) return new PosternError('SECRET_SOURCE_NOT_FOUND', `${SERVICE} ${host} has no secret ${name}`)
  if (status >= 500 || status === 429) {
    return new PosternError('SECRET_SOURCE_UNAVAILABLE', `${SERVICE} ${host} cannot answer now (HTTP ${status})`)
  }
  return new PosternError('SECRET_SOURCE_INVALID', `${SERVICE} ${host} answered with HTTP ${status}`)
}
