import type { Kysely } from 'kysely'
import type { DataSourceId } from '../base/ids.ts'
import type { SecretField } from '../dialer/data-source-secrets.ts'
import type { Schema } from './schema.ts'

/** The secrets of a data source as they lie in the store, by their fields. */
export type SealedSecrets = Readonly<Partial<Record<SecretField, Buffer>>>

/** Makes these the secrets of a data source; those that are not named are gone. Call it in the transaction of the data source. */
export async function replaceDataSourceSecrets(
  db: Kysely<Schema>,
  id: DataSourceId,
  secrets: SealedSecrets,
): Promise<void> {
  await db.deleteFrom('data_source_secret').where('data_source_id', '=', id).execute()
  const rows = Object.entries(secrets).flatMap(([field, sealed]) =>
    sealed === undefined ? [] : [{ data_source_id: id, field: field as SecretField, sealed }],
  )
  if (rows.length > 0) await db.insertInto('data_source_secret').values(rows).execute()
}

/** Secrets as a statement read them: an object of base64 by field, or null where there is none. */
export function sealedSecretsFromJson(found: Readonly<Record<string, string>> | null): SealedSecrets {
  return Object.fromEntries(
    Object.entries(found ?? {}).map(([field, sealed]) => [field, Buffer.from(sealed, 'base64')]),
  )
}
