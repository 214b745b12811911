/**
 * Every route × who asks, as status codes: [anonymous, member, DBA, admin, admin of another workspace]. The last one asks the other
 * workspace, with its token, for what belongs to this one: what is of this workspace does not exist there.
 *
 * 400, 404, 409 and 501 mean: allowed, and it cannot be done or is not there. every-route.test.ts asks each of them and fails for a
 * route that is missing here. Every row that answers anonymous with 401 also refuses the other workspace's token at this workspace.
 *
 * To add a row: method, path as OpenAPI writes it, statuses, body. `{clientId}`, `{user}`, `{group}` … are filled in from a
 * {@link RouteSubject} that is made anew for every request; placeholders without one stand for things that do not exist.
 */

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What rows act on: ids of things of this workspace, by the name of the placeholder. */
export interface RouteSubject {
  readonly clientId: string
  readonly secretId: string
  readonly user: string
  readonly group: string
  readonly memberId: string
  readonly principalId: string
  readonly workspace: string
}

export interface RouteRow {
  readonly method: Method
  readonly path: string
  readonly statuses: readonly [anonymous: number, member: number, dba: number, admin: number, otherAdmin: number]
  readonly body?: object
}

const noUuid = '00000000-0000-4000-8000-000000000000'

/** What placeholders stand for that are no property of a {@link RouteSubject}. */
const nothing: Readonly<Record<string, string>> = {
  engine: 'postgres',
  kind: 'vault_kv',
  id: noUuid,
  query: 'none',
}

/** Address of a row for a subject. */
export function routeUrl({ path }: RouteRow, subject: RouteSubject): string {
  const values: Readonly<Record<string, string>> = { ...nothing, ...subject }
  const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? 'none')
  return url.endsWith('catalog:search') ? `${url}?query=none` : url
}

const scim = '/api/2.0/preview/scim/v2'
const scimPatch = { Operations: [{ op: 'replace', path: 'active', value: true }] }
const policy = { name: 'x', issuer: 'https://issuer.test', subject: 'x' }
const unknownPrincipal = { principal: { id: '1' } }
// Link-local: refused without a packet being sent.
const unreachableInstance = {
  kind: 'external',
  name: 'none',
  adminDataSource: { host: '169.254.169.254', username: 'u', password: 'p' },
}

export const routeTable: readonly RouteRow[] = [
  row('GET', '/', [200, 200, 200, 200, 200]),
  row('GET', '/v1/openapi.json', [200, 200, 200, 200, 200]),
  row('GET', '/oidc/.well-known/oauth-authorization-server', [200, 200, 200, 200, 200]),
  row('GET', '/oidc/.well-known/openid-configuration', [200, 200, 200, 200, 200]),
  row('GET', '/oidc/v1/keys', [200, 200, 200, 200, 200]),
  row('POST', '/oidc/v1/token', [400, 400, 400, 400, 400]),
  row('POST', '/oidc/v1/revoke', [400, 400, 400, 400, 400]),
  row('POST', '/oidc/v1/introspect', [400, 400, 400, 400, 400]),
  row('POST', '/oidc/v1/device/authorize', [400, 400, 400, 400, 400]),
  row('GET', '/oidc/v1/authorize', [303, 303, 303, 303, 400]),
  row('GET', '/oidc/v1/authorize/{uid}', [303, 303, 303, 303, 400]),
  row('GET', '/oidc/device', [303, 303, 303, 303, 200]),
  row('POST', '/oidc/device', [303, 303, 303, 303, 303]),
  row('GET', '/oidc/device/{uid}', [303, 303, 303, 303, 404]),
  row('GET', '/oidc/interaction/{uid}', [303, 303, 303, 303, 404]),
  row('POST', '/oidc/interaction/{uid}', [404, 404, 404, 404, 404]),
  row('GET', '/oidc/logout', [303, 303, 303, 303, 200]),
  row('POST', '/oidc/logout', [200, 200, 200, 200, 200]),
  row('GET', '/healthz', [200, 200, 200, 200, 200]),
  row('GET', '/readyz', [200, 200, 200, 200, 200]),
  row('GET', '/.well-known/databricks-config', [200, 200, 200, 200, 200]),
  row('GET', '/v1/me', [401, 200, 200, 200, 200]),
  row('GET', '/v1/gateway', [401, 200, 200, 200, 200]),
  row('POST', '/v1/me:changePassword', [401, 403, 403, 403, 403], {
    oldPassword: 'none',
    newPassword: 'a password of some length',
  }),
  row('POST', '/v1/passwordResets:redeem', [403, 403, 403, 403, 403], {
    resetSecret: 'none',
    newPassword: 'a password of some length',
  }),
  row('POST', '/v1/users', [401, 403, 403, 400, 400], { email: 'none' }),
  row('GET', '/v1/users', [401, 403, 200, 200, 200]),
  row('GET', '/v1/users/{user}', [401, 403, 200, 200, 404]),
  row('PATCH', '/v1/users/{user}', [401, 403, 403, 200, 404], { active: false }),
  row('DELETE', '/v1/users/{user}', [401, 403, 403, 200, 404]),
  row('POST', '/v1/users/{user}:setPassword', [401, 403, 403, 200, 404], { password: 'a password of some length' }),
  row('POST', '/v1/users/{user}:resetPassword', [401, 403, 403, 200, 404]),
  row('POST', '/v1/groups', [401, 403, 403, 400, 400], { displayName: '1' }),
  row('GET', '/v1/groups', [401, 403, 200, 200, 200]),
  row('GET', '/v1/groups/{group}', [401, 403, 200, 200, 404]),
  row('PATCH', '/v1/groups/{group}', [401, 403, 403, 200, 404], { active: false }),
  row('DELETE', '/v1/groups/{group}', [401, 403, 403, 200, 404]),
  row('GET', '/v1/groups/{group}/members', [401, 403, 200, 200, 404]),
  row('POST', '/v1/groups/{group}/members', [401, 403, 403, 404, 404], { members: [{ id: '1' }] }),
  row('DELETE', '/v1/groups/{group}/members/{memberId}', [401, 403, 403, 200, 404]),
  row('POST', '/v1/workspaces', [401, 403, 403, 400, 403], { name: '/', hosts: ['a.test'], gatewayDomain: 'a.test' }),
  row('GET', '/v1/workspaces', [401, 200, 200, 200, 200]),
  row('GET', '/v1/workspaces/{workspace}', [401, 200, 200, 200, 404]),
  row('PATCH', '/v1/workspaces/{workspace}', [401, 403, 403, 200, 403], {}),
  row('GET', '/v1/workspaceAssignments', [401, 403, 200, 200, 200]),
  row('POST', '/v1/workspaceAssignments', [401, 403, 403, 404, 404], {
    ...unknownPrincipal,
    workspaceRole: 'member',
  }),
  row('DELETE', '/v1/workspaceAssignments/{principalId}', [401, 403, 403, 200, 404]),
  row('POST', '/v1/servicePrincipals', [401, 403, 403, 200, 200], { displayName: 'x' }),
  row('GET', '/v1/servicePrincipals', [401, 403, 200, 200, 200]),
  row('GET', '/v1/servicePrincipals/{clientId}', [401, 403, 200, 200, 404]),
  row('PATCH', '/v1/servicePrincipals/{clientId}', [401, 403, 403, 200, 404], { active: true }),
  row('DELETE', '/v1/servicePrincipals/{clientId}', [401, 403, 403, 200, 404]),
  row('POST', '/v1/servicePrincipals/{clientId}/secrets', [401, 403, 403, 200, 404], {}),
  row('GET', '/v1/servicePrincipals/{clientId}/secrets', [401, 403, 403, 200, 404]),
  row('DELETE', '/v1/servicePrincipals/{clientId}/secrets/{secretId}', [401, 403, 403, 200, 404]),
  row('POST', '/v1/servicePrincipals/{clientId}/federationPolicies', [401, 403, 403, 200, 404], policy),
  row('GET', '/v1/servicePrincipals/{clientId}/federationPolicies', [401, 403, 403, 200, 404]),
  row('DELETE', '/v1/servicePrincipals/{clientId}/federationPolicies/{name}', [401, 403, 403, 404, 404]),
  row('GET', '/login/sso/{provider}', [404, 404, 404, 404, 404]),
  row('GET', '/login/sso/{provider}/callback', [404, 404, 404, 404, 404]),
  row('POST', '/v1/ssoProviders', [401, 403, 403, 400, 400], { name: 'x', issuer: 'no-url', clientId: 'x' }),
  row('GET', '/v1/ssoProviders', [401, 403, 403, 200, 200]),
  row('GET', '/v1/ssoProviders/{ssoProvider}', [401, 403, 403, 404, 404]),
  row('PATCH', '/v1/ssoProviders/{ssoProvider}', [401, 403, 403, 404, 404], { createsUsers: true }),
  row('DELETE', '/v1/ssoProviders/{ssoProvider}', [401, 403, 403, 404, 404]),
  row('GET', '/v1/auditEvents', [401, 403, 200, 200, 200]),
  row('GET', '/v1/keys', [401, 403, 403, 200, 200]),
  row('POST', '/v1/keys:rotate', [401, 403, 403, 200, 200]),
  row('POST', '/v1/masterKey:rotate', [401, 403, 403, 200, 200]),
  row('POST', '/v1/databaseCredentials', [401, 404, 404, 404, 404], { instanceNames: ['none'] }),
  row('GET', `${scim}/Me`, [401, 200, 200, 200, 200]),
  row('GET', `${scim}/ServiceProviderConfig`, [401, 200, 200, 200, 200]),
  row('GET', `${scim}/ResourceTypes`, [401, 200, 200, 200, 200]),
  row('GET', `${scim}/ResourceTypes/{id}`, [401, 404, 404, 404, 404]),
  row('GET', `${scim}/Schemas`, [401, 200, 200, 200, 200]),
  row('GET', `${scim}/Schemas/{id}`, [401, 404, 404, 404, 404]),
  row('POST', `${scim}/Users`, [401, 403, 403, 400, 400], { userName: 'no-address' }),
  row('GET', `${scim}/Users`, [401, 403, 200, 200, 200]),
  row('GET', `${scim}/Users/{user}`, [401, 403, 200, 200, 404]),
  row('PUT', `${scim}/Users/{user}`, [401, 403, 403, 400, 404], { userName: 'no-address' }),
  row('PATCH', `${scim}/Users/{user}`, [401, 403, 403, 200, 404], scimPatch),
  row('DELETE', `${scim}/Users/{user}`, [401, 403, 403, 204, 404]),
  row('POST', `${scim}/Groups`, [401, 403, 403, 400, 400], { displayName: '' }),
  row('GET', `${scim}/Groups`, [401, 403, 200, 200, 200]),
  row('GET', `${scim}/Groups/{group}`, [401, 403, 200, 200, 404]),
  row('PUT', `${scim}/Groups/{group}`, [401, 403, 403, 400, 404], { displayName: '' }),
  row('PATCH', `${scim}/Groups/{group}`, [401, 403, 403, 204, 404], {
    Operations: [{ op: 'remove', path: 'members' }],
  }),
  row('DELETE', `${scim}/Groups/{group}`, [401, 403, 403, 204, 404]),
  row('POST', `${scim}/ServicePrincipals`, [401, 403, 403, 201, 201], { displayName: 'x' }),
  row('GET', `${scim}/ServicePrincipals`, [401, 403, 200, 200, 200]),
  row('GET', `${scim}/ServicePrincipals/{servicePrincipal}`, [401, 403, 404, 404, 404]),
  row('PUT', `${scim}/ServicePrincipals/{servicePrincipal}`, [401, 403, 403, 404, 404], { displayName: 'x' }),
  row('PATCH', `${scim}/ServicePrincipals/{servicePrincipal}`, [401, 403, 403, 404, 404], scimPatch),
  row('DELETE', `${scim}/ServicePrincipals/{servicePrincipal}`, [401, 403, 403, 404, 404]),
  row('POST', '/api/2.0/database/credentials', [401, 404, 404, 404, 404], { instance_names: ['none'] }),
  row('POST', '/v1/instances', [401, 403, 400, 400, 400], unreachableInstance),
  row('GET', '/v1/instances', [401, 200, 200, 200, 200]),
  row('GET', '/v1/instances/{name}', [401, 404, 404, 404, 404]),
  row('PATCH', '/v1/instances/{name}', [401, 403, 404, 404, 404], {}),
  row('DELETE', '/v1/instances/{name}', [401, 403, 404, 404, 404]),
  row('POST', '/v1/instances/{name}:start', [401, 403, 404, 404, 404]),
  row('POST', '/v1/instances/{name}:stop', [401, 403, 404, 404, 404]),
  row('POST', '/v1/instances/{name}:undelete', [401, 403, 404, 404, 404]),
  row('POST', '/v1/instances:testConnection', [401, 403, 200, 200, 200], {
    dataSource: unreachableInstance.adminDataSource,
  }),
  row('POST', '/v1/instances/{name}:testConnection', [401, 403, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/dataSources', [401, 403, 404, 404, 404]),
  row('POST', '/v1/instances/{name}/dataSources', [401, 403, 404, 404, 404], {}),
  row('GET', '/v1/instances/{name}/dataSources/{dataSource}', [401, 403, 404, 404, 404]),
  row('PATCH', '/v1/instances/{name}/dataSources/{dataSource}', [401, 403, 404, 404, 404], {}),
  row('DELETE', '/v1/instances/{name}/dataSources/{dataSource}', [401, 403, 404, 404, 404]),
  row('POST', '/v1/instances/{name}/dataSources/{dataSource}:testConnection', [401, 403, 404, 404, 404]),
  row('POST', '/v1/sshKeys', [401, 403, 200, 200, 200], {}),
  row('GET', '/v1/sshKeys', [401, 403, 200, 200, 200]),
  row('DELETE', '/v1/sshKeys/{id}', [401, 403, 404, 404, 404]),
  row('GET', '/v1/engines', [401, 200, 200, 200, 200]),
  row('GET', '/v1/engines/{engine}', [401, 200, 200, 200, 200]),
  row('GET', '/v1/setupGuides/{kind}', [401, 403, 200, 200, 200]),
  row('POST', '/v1/instances/{name}:sync', [401, 403, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/syncRuns', [401, 403, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/syncRuns/{id}', [401, 403, 404, 404, 404]),
  row('POST', '/v1/instances/{name}/syncRuns/{id}:cancel', [401, 403, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/databases', [401, 404, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/databases/{database}/schemas', [401, 404, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/databases/{database}/tables', [401, 404, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/databases/{database}/tables/{table}', [401, 404, 404, 404, 404]),
  row('GET', '/v1/catalog:search', [401, 200, 200, 200, 200]),
  row('POST', '/v1/instances/{name}/sql:execute', [401, 404, 404, 404, 404], { statement: 'select 1' }),
  row('GET', '/v1/sqlExecutions', [401, 200, 200, 200, 200]),
  row('DELETE', '/v1/sqlExecutions', [401, 200, 200, 200, 200]),
  row('GET', '/v1/sqlExecutions/{id}', [401, 404, 404, 404, 404]),
  row('DELETE', '/v1/sqlExecutions/{id}', [401, 404, 404, 404, 404]),
  row('POST', '/v1/sqlExecutions/{id}:cancel', [401, 404, 404, 404, 404]),
  row('POST', '/v1/instances/{name}/roles', [401, 404, 404, 404, 404], unknownPrincipal),
  row('GET', '/v1/instances/{name}/roles', [401, 404, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/roles/{roleName}', [401, 404, 404, 404, 404]),
  row('PATCH', '/v1/instances/{name}/roles/{roleName}', [401, 404, 404, 404, 404], {}),
  row('POST', '/v1/instances/{name}:installDatabricksAuth', [401, 404, 404, 404, 404], {}),
  row('DELETE', '/v1/instances/{name}/roles/{roleName}', [401, 404, 404, 404, 404]),
  row('POST', '/v1/instances/{name}/roles/{roleName}:repair', [401, 404, 404, 404, 404]),
  row('GET', '/v1/instances/{name}/permissions', [401, 404, 404, 404, 404]),
  row('POST', '/v1/instances/{name}/permissions', [401, 404, 404, 404, 404], { ...unknownPrincipal, level: 'CAN_USE' }),
  row('DELETE', '/v1/instances/{name}/permissions/{principalId}', [401, 404, 404, 404, 404]),
  row('GET', '/v1/instanceMakers', [401, 403, 200, 200, 200]),
  row('POST', '/v1/instanceMakers', [401, 403, 403, 404, 404], unknownPrincipal),
  row('DELETE', '/v1/instanceMakers/{principalId}', [401, 403, 403, 404, 404]),
  row('POST', '/api/2.0/database/instances', [401, 403, 200, 409, 200], { name: 'made' }),
  row('GET', '/api/2.0/database/instances', [401, 200, 200, 200, 200]),
  row('GET', '/api/2.0/database/instances:findByUid', [401, 400, 400, 400, 400]),
  row('GET', '/api/2.0/database/instances/{name}', [401, 404, 404, 404, 404]),
  row('PATCH', '/api/2.0/database/instances/{name}', [401, 400, 400, 400, 400], {}),
  row('DELETE', '/api/2.0/database/instances/{name}', [401, 404, 404, 404, 404]),
  row('POST', '/api/2.0/database/instances/{name}/roles', [401, 404, 404, 404, 404], { name: 'x' }),
  row('GET', '/api/2.0/database/instances/{name}/roles', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/database/instances/{name}/roles/{role}', [401, 404, 404, 404, 404]),
  row('PATCH', '/api/2.0/database/instances/{name}/roles/{role}', [401, 404, 404, 404, 404], {}),
  row('DELETE', '/api/2.0/database/instances/{name}/roles/{role}', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/permissions/database-instances/{name}', [401, 404, 404, 404, 404]),
  row('PUT', '/api/2.0/permissions/database-instances/{name}', [401, 404, 404, 404, 404], {}),
  row('PATCH', '/api/2.0/permissions/database-instances/{name}', [401, 404, 404, 404, 404], {}),
  row('GET', '/api/2.0/permissions/database-instances/{name}/permissionLevels', [401, 404, 404, 404, 404]),
  row('POST', '/api/2.0/postgres/credentials', [401, 404, 404, 404, 404], {
    endpoint: 'projects/none/branches/production/endpoints/primary',
  }),
  row('GET', '/api/2.0/postgres/projects', [401, 200, 200, 200, 200]),
  row('GET', '/api/2.0/postgres/projects/{project}', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/postgres/projects/{project}/branches', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/postgres/projects/{project}/branches/{branch}', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/postgres/projects/{project}/branches/{branch}/endpoints', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/postgres/projects/{project}/branches/{branch}/endpoints/{endpoint}', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/postgres/projects/{project}/branches/{branch}/roles', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/postgres/projects/{project}/branches/{branch}/roles/{role}', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/postgres/projects/{project}/branches/{branch}/databases', [401, 404, 404, 404, 404]),
  row('GET', '/api/2.0/tokens/introspect', [401, 200, 200, 200, 200]),
  row('POST', '/telemetry-ext', [401, 200, 200, 200, 200], {}),
]

function row(method: Method, path: string, statuses: RouteRow['statuses'], body?: object): RouteRow {
  return body === undefined ? { method, path, statuses } : { method, path, statuses, body }
}
