import type { DataSourceId } from '../base/ids.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { open, seal, type SealContext } from '../crypto/seal.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets, SecretField } from '../dialer/data-source-secrets.ts'
import { destinationFingerprint } from '../dialer/destination-fingerprint.ts'
import type { SealedSecrets } from '../store/data-source-secrets.ts'
import type { DataSourceRow } from '../store/data-sources.ts'

/** Where a stored data source leads. */
export function routeOf(source: Pick<DataSourceRow, keyof DataSourceRoute>): DataSourceRoute {
  const { engine, host, port, database, username, loginMethod, tlsMode, tlsCa, tlsClientCertificate } = source
  const { tlsFiles, fields, extraParameters, secretReferences } = source
  const ssh = source.ssh.map((hop) => ({
    host: hop.host,
    port: hop.port,
    username: hop.username,
    auth: hop.auth,
    hostKey: hop.hostKey,
  }))
  return {
    engine,
    host,
    port,
    database,
    username,
    loginMethod,
    tlsMode,
    tlsCa,
    tlsClientCertificate,
    tlsFiles,
    ssh,
    fields,
    extraParameters,
    secretReferences,
  }
}

/**
 * Opens the secrets of a stored data source as they are stored: one that lives elsewhere is its reference, in JSON. They open
 * only for the destination that is stored with them. To reach the database: `data-source-login.ts`.
 * @throws PosternError SECRET_UNREADABLE
 */
export async function openDataSourceSecrets(
  deps: { readonly masterKey: MasterKey },
  source: Pick<DataSourceRow, 'id' | 'sealedSecrets' | keyof DataSourceRoute>,
): Promise<DataSourceSecrets> {
  const route = routeOf(source)
  return Object.fromEntries(
    fieldsOf(source.sealedSecrets).map((field) => [
      field,
      open(deps.masterKey, source.sealedSecrets[field]!, secretContext(source.id, field, route)),
    ]),
  )
}

/** Seals the secrets of a data source for where it leads. */
export function sealDataSourceSecrets(
  masterKey: MasterKey,
  id: DataSourceId,
  route: DataSourceRoute,
  secrets: DataSourceSecrets,
): SealedSecrets {
  return Object.fromEntries(
    fieldsOf(secrets).map((field) => [field, seal(masterKey, secrets[field]!, secretContext(id, field, route))]),
  )
}

/** What a secret of a data source is sealed for: this data source, this field, this destination. */
function secretContext(id: DataSourceId, field: SecretField, route: DataSourceRoute): SealContext {
  return { table: 'data_source', row: id, field, destination: destinationFingerprint(route) }
}

function fieldsOf(secrets: Readonly<Partial<Record<SecretField, unknown>>>): SecretField[] {
  return (Object.keys(secrets) as SecretField[]).filter((field) => secrets[field] !== undefined)
}
