/** A Cloud SQL instance, as its connection name says. */
export interface CloudSqlName {
  /** Projects of a domain have it before their name: `example.com:orders`. */
  readonly projectId: string
  readonly region: string
  readonly instanceId: string
}

const CONNECTION_NAME =
  /^((?:[a-z][a-z0-9.-]{0,61}[a-z0-9]:)?[a-z][a-z0-9-]{0,61}[a-z0-9]):([a-z][a-z0-9-]{0,30}[a-z0-9]):([a-z][a-z0-9-]{0,97})$/

/** Reads a connection name, `project:region:instance`, in any case of letters; undefined for everything else. */
export function readCloudSqlName(text: string): CloudSqlName | undefined {
  const [, projectId, region, instanceId] = CONNECTION_NAME.exec(text.toLowerCase()) ?? []
  if (projectId === undefined || region === undefined || instanceId === undefined) return undefined
  return { projectId, region, instanceId }
}

/** Address of an instance that is dialled. */
export const CLOUD_SQL_IP_TYPES = ['public', 'private', 'psc'] as const
export type CloudSqlIpType = (typeof CLOUD_SQL_IP_TYPES)[number]

const SERVICE_ACCOUNT_SUFFIX = '.gserviceaccount.com'

/**
 * The database user of a Google identity, as Cloud SQL names it: for PostgreSQL the e-mail, of a service account without
 * `.gserviceaccount.com`; for MySQL what stands before the `@`.
 *
 * @param entered the e-mail, the database user itself, or the short name of a service account of the instance's project
 * @see https://cloud.google.com/sql/docs/postgres/add-manage-iam-users
 */
export function cloudSqlUser(entered: string, family: 'postgres' | 'mysql', { projectId }: CloudSqlName): string {
  const name = entered.trim()
  if (family === 'mysql') return name.split('@')[0] ?? name
  if (!name.includes('@')) return `${name}@${projectOfEmail(projectId)}.iam`
  const lower = name.toLowerCase()
  return lower.endsWith(SERVICE_ACCOUNT_SUFFIX) ? lower.slice(0, -SERVICE_ACCOUNT_SUFFIX.length) : lower
}

/** Of a project of a domain the name comes first there: `orders.example.com`. */
function projectOfEmail(projectId: string): string {
  return projectId.split(':').toReversed().join('.')
}
