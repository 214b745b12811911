import type { DataSource } from '../../contract/data-sources.ts'
import type { DataSourceOptions } from './data-source-options.ts'
import { withoutUndefined, type DataSourceBody } from './read-data-source.ts'

/**
 * What a new read-only data source takes over from the admin one, so that only what differs has to be said: place, database and
 * the authority that vouches for the server. A replica has a host or port of its own and chooses its TLS mode itself; no secret,
 * SSH server or Snowflake role is taken over.
 */
export function likeAdmin(admin: DataSource, options: DataSourceOptions): DataSourceBody {
  const isSameServer = options.hostName === undefined && options.port === undefined
  const tlsMode = options.tlsMode ?? (isSameServer ? admin.tlsMode : undefined)
  const { snowflakeRole: _, ...fields } = admin.fields
  return withoutUndefined({
    host: admin.host === '' ? undefined : admin.host,
    port: isSameServer && admin.port !== 0 ? admin.port : undefined,
    database: admin.database === '' ? undefined : admin.database,
    tlsMode,
    ...(tlsMode === 'require' || tlsMode === 'disable' ? {} : authorityOf(admin, options)),
    fields: Object.keys(fields).length === 0 || options.field !== undefined ? undefined : fields,
  })
}

function authorityOf({ tlsCa, tlsFiles }: DataSource, options: DataSourceOptions): DataSourceBody {
  if (options.tlsCaFile !== undefined || options.tlsServerFile !== undefined) return {}
  if (tlsCa !== null) return { tlsCa }
  return tlsFiles.ca === undefined ? {} : { tlsFiles: { ca: tlsFiles.ca } }
}
