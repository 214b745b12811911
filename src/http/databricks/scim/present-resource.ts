import type { ProvisionedPrincipal, Relation } from '../../../identity/provisioned-principals.ts'
import { splitName } from './read-user.ts'

export const scimPath = '/api/2.0/preview/scim/v2'

const CORE = 'urn:ietf:params:scim:schemas:core:2.0'

export const scimSchemas = {
  user: `${CORE}:User`,
  group: `${CORE}:Group`,
  servicePrincipal: `${CORE}:ServicePrincipal`,
  list: 'urn:ietf:params:scim:api:messages:2.0:ListResponse',
  error: 'urn:ietf:params:scim:api:messages:2.0:Error',
} as const

const RESOURCES = { user: 'Users', group: 'Groups', service_principal: 'ServicePrincipals' } as const

/** A user, service principal or group in the words of RFC 7643. */
export function presentResource(principal: ProvisionedPrincipal): Record<string, unknown> {
  switch (principal.kind) {
    case 'user':
      return presentUser(principal)
    case 'group':
      return presentGroup(principal)
    case 'service_principal':
      return { schemas: [scimSchemas.servicePrincipal], applicationId: principal.name, ...signedInPart(principal) }
  }
}

/** Who the caller is. Clients read `userName`, which is the name of its Postgres roles: for a program its client id. */
export function presentMe(principal: ProvisionedPrincipal): Record<string, unknown> {
  return { ...presentUser(principal), entitlements: [], roles: [] }
}

/** A resource cut down to the attributes that a query asks for; `schemas` and `id` are always there. */
export function selectAttributes(
  resource: Record<string, unknown>,
  { attributes, excludedAttributes }: { attributes?: string | undefined; excludedAttributes?: string | undefined },
): Record<string, unknown> {
  const named = (list: string) => new Set(list.split(',').map((name) => name.trim().toLowerCase().split('.')[0]))
  const only = attributes === undefined ? undefined : named(attributes)
  const without = excludedAttributes === undefined ? undefined : named(excludedAttributes)
  return Object.fromEntries(
    Object.entries(resource).filter(([name]) => {
      if (name === 'schemas' || name === 'id') return true
      const key = name.toLowerCase()
      return (only === undefined || only.has(key)) && !without?.has(key)
    }),
  )
}

function presentUser(principal: ProvisionedPrincipal): Record<string, unknown> {
  const { kind, name, displayName } = principal
  return {
    schemas: [scimSchemas.user],
    userName: name,
    name: { formatted: displayName, ...splitName(displayName) },
    ...(kind === 'user' && { emails: [{ type: 'work', value: name, primary: true }] }),
    ...signedInPart(principal),
  }
}

/** What users and service principals have alike. */
function signedInPart({ relations, ...principal }: ProvisionedPrincipal): Record<string, unknown> {
  return {
    ...commonPart(principal),
    active: principal.active,
    groups: relations.map(({ id, displayName }) => ({
      display: displayName,
      type: 'direct',
      value: id,
      $ref: `Groups/${id}`,
    })),
  }
}

function presentGroup({ relations, ...group }: ProvisionedPrincipal): Record<string, unknown> {
  return { schemas: [scimSchemas.group], ...commonPart(group), members: relations.map(presentMember) }
}

function commonPart({ id, kind, displayName, externalId, createdAt }: Omit<ProvisionedPrincipal, 'relations'>) {
  const resource = RESOURCES[kind]
  return {
    id,
    ...(externalId !== null && { externalId }),
    displayName,
    meta: {
      resourceType: resource.slice(0, -1),
      created: createdAt.toISOString(),
      location: `${scimPath}/${resource}/${id}`,
    },
  }
}

function presentMember({ id, kind, displayName }: Relation): Record<string, string> {
  const resource = RESOURCES[kind]
  return { display: displayName, value: id, type: resource.slice(0, -1), $ref: `${resource}/${id}` }
}
