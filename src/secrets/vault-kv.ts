import { PosternError } from '../base/errors.ts'
import type { VaultKvReference } from '../contract/secret-references.ts'
import type { SecretResponse } from './secret-http.ts'
import { invalidAnswer, isObject, parseObject, parseObjectOrEmpty, stringsOf } from './secret-json.ts'
import { type FetchContext, type SecretDocument, type SecretSource, withoutKey } from './secret-source.ts'
import { requireOk, type VaultClient } from './vault-client.ts'

/**
 * HashiCorp Vault, KV version 2: `GET /v1/<engine>/data/<path>` (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).
 * A mount of version 1 is recognised and refused by name.
 */
export function vaultKvSource(client: VaultClient): SecretSource<VaultKvReference> {
  return {
    documentOf: withoutKey,
    keyOf: ({ key }) => key,
    hostOf: ({ url }) => new URL(url).host,
    async fetch(reference, context): Promise<SecretDocument> {
      const { engineName, path, version } = reference
      const answer = await client.request(reference, context, {
        method: 'GET',
        path: `${engineName}/data/${path}`,
        ...(version !== undefined && { query: { version: String(version) } }),
      })
      if (answer.status === 404) throw await whyNotFound(client, reference, answer, context)
      requireOk(answer, `read of ${engineName}/data/${path}`)
      const { data } = parseObject(answer.body, 'Vault')
      const { data: values, metadata } = isObject(data) ? data : {}
      if (!isObject(values) || !isObject(metadata))
        throw invalidAnswer('Vault', 'the answer is not one of KV version 2')
      const found = metadata['version']
      return { values: stringsOf(values), version: typeof found === 'number' ? String(found) : null, leaseMs: null }
    },
  }
}

/** A deleted version, a mount of KV version 1, or nothing there: Vault answers 404 to all of them. */
async function whyNotFound(
  client: VaultClient,
  reference: VaultKvReference,
  answer: SecretResponse,
  context: FetchContext,
): Promise<PosternError> {
  const { engineName, path, version } = reference
  const { data } = parseObjectOrEmpty(answer.body)
  if (isObject(data) && isObject(data['metadata'])) {
    const which = version === undefined ? 'the newest version' : `version ${version}`
    return notFound(`${which} of the secret ${path} in the Vault engine ${engineName} was deleted`)
  }
  if (await isVersionOne(client, reference, context)) {
    return new PosternError(
      'SECRET_SOURCE_INVALID',
      `the Vault engine ${engineName} is KV version 1; Postern reads KV version 2`,
      { hint: `Upgrade it: vault kv enable-versioning ${engineName}` },
    )
  }
  return notFound(`Vault has no secret ${path} in the engine ${engineName}, or no such engine`)
}

/** Whoever may read anything below a mount may also read how it is mounted. */
async function isVersionOne(client: VaultClient, reference: VaultKvReference, context: FetchContext): Promise<boolean> {
  const mount = await client
    .request(reference, context, { method: 'GET', path: `sys/internal/ui/mounts/${reference.engineName}` })
    .catch(() => undefined)
  if (mount?.status !== 200) return false
  const { data } = parseObjectOrEmpty(mount.body)
  if (!isObject(data)) return false
  const isKv = data['type'] === 'kv' || data['type'] === 'generic'
  const { version } = isObject(data['options']) ? data['options'] : {}
  return isKv && version !== '2'
}

function notFound(message: string): PosternError {
  return new PosternError('SECRET_SOURCE_NOT_FOUND', message)
}
