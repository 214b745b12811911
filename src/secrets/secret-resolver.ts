import { createHash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { SecretReference } from '../contract/secret-references.ts'
import type { ResolvedSecret, SecretReferences } from '../dialer/secret-references.ts'
import { awsSecretsManagerSource } from './aws-secrets-manager.ts'
import { azureKeyVaultSource } from './azure-key-vault.ts'
import { dialledSecretHttp } from './dialled-secret-http.ts'
import { endpointSource } from './endpoint.ts'
import { gcpSecretManagerSource } from './gcp-secret-manager.ts'
import type { OperatorPolicy } from './operator-policy.ts'
import type { DialerDependencies } from '../dialer/dial-options.ts'
import { SecretCache } from './secret-cache.ts'
import type { SecretHttp } from './secret-http.ts'
import type { FetchContext, SecretSource } from './secret-source.ts'
import { VaultClient } from './vault-client.ts'
import { VaultDatabaseSource } from './vault-database.ts'
import { vaultKvSource } from './vault-kv.ts'

export interface SecretResolverOptions {
  readonly dialer: DialerDependencies
  readonly policy: OperatorPolicy
  readonly clock: Clock
  readonly ttlMs: number
  readonly staleMs: number
  /** For one fetch, its logins included. */
  readonly timeoutMs: number
}

/**
 * Turns references into secrets: one source per manager, behind one cache (time to live, single flight, last known value while
 * a manager is silent). References that differ only in the key share a fetch.
 */
export class SecretResolver implements SecretReferences {
  readonly #options: SecretResolverOptions
  readonly #http: SecretHttp
  readonly #cache: SecretCache
  readonly #vault = new VaultClient()
  readonly #vaultDatabase = new VaultDatabaseSource(this.#vault)
  readonly #sources: {
    readonly [Source in SecretReference['source']]: SecretSource<SecretReference & { source: Source }>
  }

  constructor(options: SecretResolverOptions) {
    this.#options = options
    this.#http = dialledSecretHttp(options.dialer)
    this.#cache = new SecretCache(options)
    this.#sources = {
      vault_kv: vaultKvSource(this.#vault),
      vault_database: this.#vaultDatabase,
      aws_secrets_manager: awsSecretsManagerSource,
      gcp_secret_manager: gcpSecretManagerSource,
      azure_key_vault: azureKeyVaultSource,
      endpoint: endpointSource,
    }
  }

  /** @throws PosternError SECRET_SOURCE_* */
  async resolve(json: Secret): Promise<ResolvedSecret> {
    return this.resolveReference(SecretReference.parse(JSON.parse(json.reveal())))
  }

  /** @throws PosternError SECRET_SOURCE_* */
  async resolveReference(reference: SecretReference): Promise<ResolvedSecret> {
    const startedAt = performance.now()
    // The record is typed by its keys; the compiler does not follow the union through the look-up.
    const source = this.#sources[reference.source] as SecretSource<SecretReference>
    const cacheKey = digest([reference.source, ...source.documentOf(reference)])
    const found = await this.#cache.get(cacheKey, () => this.#fetch(source, reference))
    const { values, version } = found.document
    const value = values.get(source.keyOf(reference))
    if (value === undefined) throw missingKey(source.keyOf(reference), [...values.keys()])
    if (value.reveal() === '') throw new PosternError('SECRET_SOURCE_INVALID', 'the secret is empty')
    return {
      value,
      version,
      origin: found.origin,
      host: source.hostOf(reference),
      elapsedMs: performance.now() - startedAt,
      reject: () => this.#cache.reject(cacheKey, found.generation),
    }
  }

  /** Gives back what managers lent us: leases and logins. */
  async close(): Promise<void> {
    const context = this.#context(AbortSignal.timeout(this.#options.timeoutMs))
    await this.#vaultDatabase.close(context)
    await this.#vault.close(context)
  }

  async #fetch(source: SecretSource<SecretReference>, reference: SecretReference) {
    const signal = AbortSignal.timeout(this.#options.timeoutMs)
    try {
      return await source.fetch(reference, this.#context(signal))
    } catch (thrown) {
      if (thrown instanceof PosternError || !signal.aborted) throw thrown
      throw new PosternError(
        'SECRET_SOURCE_UNAVAILABLE',
        `${source.hostOf(reference)} did not answer within ${this.#options.timeoutMs} ms`,
        { cause: thrown },
      )
    }
  }

  #context(signal: AbortSignal): FetchContext {
    const { dialer, policy, clock } = this.#options
    return { http: this.#http, dialer, policy, signal, now: () => clock.now() }
  }
}

function missingKey(key: string, existing: readonly string[]): PosternError {
  const names = existing.filter((name) => name !== '').toSorted()
  return new PosternError('SECRET_SOURCE_NOT_FOUND', `the secret has no key ${key} with a text as its value`, {
    hint: names.length === 0 ? 'It has no keys with texts.' : `It has: ${names.slice(0, 20).join(', ')}`,
  })
}

/** Keeps references, which hold secrets, out of the cache's keys. */
function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64')
}
