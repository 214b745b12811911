import { randomUUID } from 'node:crypto'
import { DatabaseCredential, IssuedDatabaseCredential } from '../contract/database-credentials.ts'
import type { ApiClient } from './api-client.ts'
import type { CredentialOptions } from './credential-options.ts'

/** Mints a database credential: the JWT that a Postgres client sends as its password, for an hour at most. */
export function createDatabaseCredential(
  api: ApiClient,
  instanceNames: readonly string[],
  { group, readOnly, lifetime }: CredentialOptions = {},
  requestId: string = randomUUID(),
) {
  const body = { requestId, instanceNames, groupName: group, readOnly, lifetimeSeconds: lifetime }
  return api.call({ method: 'POST', path: '/v1/databaseCredentials', body, answer: IssuedDatabaseCredential })
}

/**
 * The same by the compatible API.
 * @param body as that API names its fields: request_id, instance_names, claims
 */
export function generateDatabaseCredential(api: ApiClient, body: Readonly<Record<string, unknown>>) {
  return api.call({ method: 'POST', path: '/api/2.0/database/credentials', body, answer: DatabaseCredential })
}
