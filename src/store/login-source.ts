import type { DataSourceId } from '../base/ids.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import { type SealedSecrets, sealedSecretsFromJson } from './data-source-secrets.ts'
import type { DataSourceRow } from './data-sources.ts'

/** A data source as a login takes it: the way there, and no user of its own. */
export type LoginSource = Omit<Pick<DataSourceRow, keyof DataSourceRoute>, 'username'> & Way

/** What a way has beyond host, port and TLS. */
interface Way extends Pick<
  DataSourceRow,
  'tlsClientCertificate' | 'tlsFiles' | 'ssh' | 'fields' | 'extraParameters' | 'secretReferences'
> {
  /** Sealed keys of its client certificate and of SSH, and the data source with the user that they are sealed for. */
  readonly routeSecrets: { readonly id: DataSourceId; readonly username: string; readonly sealed: SealedSecrets } | null
}

/** Columns of a data source `d`, null in whatever a left join did not find. Of its way, most have nothing. */
export interface LoginSourceColumns {
  readonly engine: DataSourceRow['engine']
  readonly host: string | null
  readonly port: number
  readonly database: string
  readonly login_method: DataSourceRow['loginMethod']
  readonly tls_mode: DataSourceRow['tlsMode']
  readonly tls_ca: string | null
  readonly way:
    | (Omit<Way, 'routeSecrets'> & {
        readonly id: DataSourceId
        readonly username: string
        readonly secrets: Readonly<Record<string, string>> | null
      })
    | null
}

/** What {@link LoginSourceColumns} are read by, besides `engine`. */
export const loginSourceColumns = `d.host, d.port, d.database, d.login_method, d.tls_mode, d.tls_ca,
      -- Null for most: nothing is looked up, sent and parsed for a way without any of it.
      case when d.tls_client_certificate is not null or d.tls_files <> '{}' or d.ssh <> '[]'
          or d.fields <> '{}' or d.extra_parameters <> '{}' or d.external_references <> '{}' or d.login_method = 'gcp_iam' then
        jsonb_build_object('tlsClientCertificate', d.tls_client_certificate, 'tlsFiles', d.tls_files, 'ssh', d.ssh,
          'fields', d.fields, 'extraParameters', d.extra_parameters, 'secretReferences', d.external_references, 'id', d.id, 'username', d.username,
          'secrets', (
            select jsonb_object_agg(field, encode(sealed, 'base64')) from data_source_secret
            where data_source_id = d.id and (field = 'tlsClientKey' or field like 'ssh.%'
              -- Who is let through to the instance; who logs in there is another matter.
              or (field = 'serviceAccount' and d.login_method = 'gcp_iam'))))
      end as way`

const PLAIN_WAY: Way = {
  tlsClientCertificate: null,
  tlsFiles: {},
  ssh: [],
  fields: {},
  extraParameters: {},
  secretReferences: {},
  routeSecrets: null,
}

/** The data source of a row, or null where there was none. */
export function loginSourceFromRow(row: LoginSourceColumns): LoginSource | null {
  if (row.host === null) return null
  return {
    engine: row.engine,
    host: row.host,
    port: row.port,
    database: row.database,
    loginMethod: row.login_method,
    tlsMode: row.tls_mode,
    tlsCa: row.tls_ca,
    ...(row.way === null ? PLAIN_WAY : wayFromRow(row.way)),
  }
}

function wayFromRow({ id, username, secrets, ...way }: NonNullable<LoginSourceColumns['way']>): Way {
  return { ...way, routeSecrets: secrets && { id, username, sealed: sealedSecretsFromJson(secrets) } }
}
