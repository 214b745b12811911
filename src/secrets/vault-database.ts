import { createHash } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import type { VaultDatabaseReference } from '../contract/secret-references.ts'
import { invalidAnswer, isObject, parseObject, stringsOf } from './secret-json.ts'
import { type FetchContext, type SecretDocument, type SecretSource, withoutKey } from './secret-source.ts'
import { requireOk, type VaultClient } from './vault-client.ts'

/** User and password that Vault made for us. Times in milliseconds; `expiresAt` since the epoch. */
interface Lease {
  readonly reference: VaultDatabaseReference
  readonly id: string
  readonly renewable: boolean
  readonly durationMs: number
  readonly document: Omit<SecretDocument, 'leaseMs'>
  expiresAt: number
}

/**
 * HashiCorp Vault, database engine: `GET /v1/<engine>/creds/<role>` makes a database user under a lease
 * (https://developer.hashicorp.com/vault/api-docs/secret/databases). The lease is renewed when two thirds are over; when Vault
 * grants no more time, the next user is made while the last one still works.
 */
export class VaultDatabaseSource implements SecretSource<VaultDatabaseReference> {
  readonly #client: VaultClient
  readonly #leases = new Map<string, Lease>()

  constructor(client: VaultClient) {
    this.#client = client
  }

  documentOf(reference: VaultDatabaseReference): readonly unknown[] {
    return withoutKey(reference)
  }

  keyOf({ key }: VaultDatabaseReference): string {
    return key
  }

  hostOf({ url }: VaultDatabaseReference): string {
    return new URL(url).host
  }

  async fetch(reference: VaultDatabaseReference, context: FetchContext): Promise<SecretDocument> {
    const key = leaseKey(this.documentOf(reference))
    const held = this.#leases.get(key)
    if (held && (await this.#renew(held, context))) return usable(held, context)
    const lease = await this.#take(reference, context)
    this.#leases.set(key, lease)
    return usable(lease, context)
  }

  /** Revokes what was made for us: Vault drops the database users. */
  async close(context: FetchContext): Promise<void> {
    const leases = [...this.#leases.values()]
    this.#leases.clear()
    const revoke = ({ reference, id }: Lease) =>
      this.#client.request(reference, context, { method: 'PUT', path: 'sys/leases/revoke', body: { lease_id: id } })
    await Promise.allSettled(leases.map(revoke))
  }

  async #take(reference: VaultDatabaseReference, context: FetchContext): Promise<Lease> {
    const { engineName, role } = reference
    const path = `${engineName}/creds/${role}`
    const answer = await this.#client.request(reference, context, { method: 'GET', path })
    if (answer.status === 404 || answer.status === 400) {
      throw new PosternError('SECRET_SOURCE_NOT_FOUND', `Vault has no role ${role} in the engine ${engineName}`)
    }
    requireOk(answer, `read of ${path}`)
    const { lease_id: id, lease_duration: seconds, renewable, data } = parseObject(answer.body, 'Vault')
    if (!isObject(data) || typeof id !== 'string' || typeof seconds !== 'number' || seconds <= 0) {
      throw invalidAnswer('Vault', 'the answer is not one of the database engine')
    }
    const durationMs = seconds * 1_000
    return {
      reference,
      id,
      renewable: renewable === true,
      durationMs,
      document: { values: stringsOf(data), version: null },
      expiresAt: context.now().getTime() + durationMs,
    }
  }

  async #renew(lease: Lease, context: FetchContext): Promise<boolean> {
    if (!lease.renewable || context.now().getTime() >= lease.expiresAt) return false
    const answer = await this.#client.request(lease.reference, context, {
      method: 'PUT',
      path: 'sys/leases/renew',
      body: { lease_id: lease.id, increment: Math.round(lease.durationMs / 1_000) },
    })
    if (answer.status !== 200) return false
    const seconds = parseObject(answer.body, 'Vault')['lease_duration']
    if (typeof seconds !== 'number') return false
    lease.expiresAt = context.now().getTime() + seconds * 1_000
    // Near the longest life of the lease Vault grants less and less: then a new user is due.
    return seconds * 1_000 > lease.durationMs / 3
  }
}

/** Asked for again when two thirds of what is left are over. */
function usable({ document, expiresAt }: Lease, context: FetchContext): SecretDocument {
  return { ...document, leaseMs: ((expiresAt - context.now().getTime()) * 2) / 3 }
}

function leaseKey(document: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(document)).digest('base64')
}
