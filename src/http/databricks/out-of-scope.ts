const database = '/api/2\\.0/database'
const postgres = '/api/2\\.0/postgres'
const branch = `${postgres}/projects/[^/]+/branches/[^/]+`
const changes = '(?:POST|PATCH|PUT|DELETE)'
const any = `(?:GET|${changes})`

/** What clients of the compatible API may ask for and Postern does not do, by method and path. */
const OUT_OF_SCOPE: readonly (readonly [pattern: RegExp, what: string])[] = [
  [row(any, `${database}/catalogs(?:/[^/]+)?`), 'Catalogs of Unity Catalog'],
  [row(any, `${database}/instances/[^/]+/catalogs`), 'Catalogs of Unity Catalog'],
  [row(any, `${database}/(?:synced_)?tables(?:/[^/]+)?`), 'Tables and synced tables of Unity Catalog'],
  [row(any, `${database}/instances/[^/]+/synced_tables`), 'Tables and synced tables of Unity Catalog'],
  [row('POST', `${database}/instances/[^/]+/failover`), 'Failover of an instance'],
  [row('(?:PATCH|POST)', `${database}/instances/[^/]+/upgrade`), 'Upgrade of an instance'],
  [row(changes, `${postgres}/projects(?:/[^/]+)?(?:/undelete)?`), 'Making and changing projects'],
  [row(changes, `${postgres}/projects/[^/]+/branches(?:/[^/]+)?(?:/undelete)?`), 'Branches of a database'],
  [row(changes, `${branch}/endpoints(?:/[^/]+)?`), 'Making and changing endpoints'],
  [row(changes, `${branch}/roles(?:/[^/]+)?`), 'Changing Postgres roles by project'],
  [row(any, `${branch}/databases/[^/]+`), 'One database of a project'],
  [row(changes, `${branch}/databases`), 'Making databases by project'],
  [row(any, `${postgres}/(?:catalogs|synced_tables|data_apis?)(?:/.*)?`), 'Unity Catalog'],
  [row('GET', `${postgres}/.*/?operations/[^/]+`), 'Long-running operations'],
  [row(any, '/api/2\\.0/permissions/database-projects/.+'), 'Permissions on projects'],
]

/**
 * What the compatible API would do here and Postern does not; undefined for a path that nobody has. Clients take a 404 for a
 * wrong address and say something misleading.
 */
export function outOfScope(method: string, path: string): string | undefined {
  return OUT_OF_SCOPE.find(([pattern]) => pattern.test(`${method} ${path}`))?.[1]
}

function row(method: string, path: string): RegExp {
  return new RegExp(`^${method} ${path}$`)
}
