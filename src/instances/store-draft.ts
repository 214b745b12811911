import type { Kysely } from 'kysely'
import { sealDataSourceSecrets } from '../access/data-source-secrets.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { replaceDataSourceSecrets } from '../store/data-source-secrets.ts'
import {
  insertDataSource,
  recordDataSourceCheck,
  updateDataSource,
  type DataSourceCheck,
} from '../store/data-sources.ts'
import type { Schema } from '../store/schema.ts'
import type { DataSourceDraft } from './draft-data-source.ts'

/**
 * Writes a drafted data source with its secrets, sealed for where it leads. Call it in the transaction of the whole change.
 * @param check what is known of the way that it leads now; null: nothing yet
 */
export async function storeDraft(
  db: Kysely<Schema>,
  masterKey: MasterKey,
  { source, route, secrets, before }: DataSourceDraft,
  check: DataSourceCheck | null,
): Promise<void> {
  await (before === undefined ? insertDataSource : updateDataSource)(db, source)
  if (check !== null) await recordDataSourceCheck(db, source.id, check)
  await replaceDataSourceSecrets(db, source.id, sealDataSourceSecrets(masterKey, source.id, route, secrets))
}
