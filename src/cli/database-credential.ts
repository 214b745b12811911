import { DatabaseCredential } from '../contract/database-credentials.ts'
import type { ApiClient } from './api-client.ts'

/**
 * Mints a database credential: the one-hour JWT that a Postgres client sends as its password.
 * @param body as the compatible API names its fields: request_id, instance_names, claims
 */
export function generateDatabaseCredential(api: ApiClient, body: Readonly<Record<string, unknown>>) {
  return api.call({ method: 'POST', path: '/api/2.0/database/credentials', body, answer: DatabaseCredential })
}
