import { z } from 'zod'
import { PosternError } from '../../../base/errors.ts'
import type { AddRoutes } from '../../route.ts'
import { scimPath, scimSchemas } from './present-resource.ts'
import { scimAnswers } from './scim-route.ts'

const SCHEMA_OF_SCHEMAS = 'urn:ietf:params:scim:schemas:core:2.0'

const serviceProviderConfig = {
  schemas: [`${SCHEMA_OF_SCHEMAS}:ServiceProviderConfig`],
  patch: { supported: true },
  bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
  filter: { supported: true, maxResults: 200 },
  changePassword: { supported: false },
  sort: { supported: false },
  etag: { supported: false },
  authenticationSchemes: [
    {
      type: 'oauthbearertoken',
      name: 'OAuth Bearer Token',
      description: 'An access token of a service principal that is Workspace Admin',
      specUri: 'https://www.rfc-editor.org/rfc/rfc6750',
      primary: true,
    },
  ],
  meta: { resourceType: 'ServiceProviderConfig', location: `${scimPath}/ServiceProviderConfig` },
}

const resourceTypes = [
  resourceType('User', 'Users', scimSchemas.user),
  resourceType('Group', 'Groups', scimSchemas.group),
  resourceType('ServicePrincipal', 'ServicePrincipals', scimSchemas.servicePrincipal),
]

const groupsOfMember = attribute('groups', 'complex', { multiValued: true, mutability: 'readOnly' })
const externalId = attribute('externalId', 'string', { caseExact: true })
const active = attribute('active', 'boolean')

const schemas = [
  schema(scimSchemas.user, 'User', [
    attribute('userName', 'string', { required: true, uniqueness: 'server' }),
    attribute('displayName', 'string'),
    attribute('name', 'complex'),
    attribute('emails', 'complex', { multiValued: true, mutability: 'readOnly' }),
    active,
    externalId,
    groupsOfMember,
  ]),
  schema(scimSchemas.group, 'Group', [
    attribute('displayName', 'string', { required: true, caseExact: true, uniqueness: 'server' }),
    attribute('members', 'complex', { multiValued: true }),
    externalId,
  ]),
  schema(scimSchemas.servicePrincipal, 'ServicePrincipal', [
    attribute('applicationId', 'string', { caseExact: true, mutability: 'readOnly', uniqueness: 'server' }),
    attribute('displayName', 'string', { required: true }),
    active,
    externalId,
    groupsOfMember,
  ]),
]

/** What a SCIM client may ask before it begins: RFC 7644 section 4. */
export const scimDiscoveryRoutes: AddRoutes = (app) => {
  const read = (url: string, summary: string, body: { readonly schemas: string[] }) =>
    app.get(url, { schema: { summary, response: scimAnswers } }, async () => body)

  read(`${scimPath}/ServiceProviderConfig`, 'Read what of SCIM is offered', serviceProviderConfig)
  read(`${scimPath}/ResourceTypes`, 'List the kinds of resources', listOf(resourceTypes))
  read(`${scimPath}/Schemas`, 'List the schemas', listOf(schemas))

  const params = z.object({ id: z.string() })
  app.get(
    `${scimPath}/ResourceTypes/:id`,
    { schema: { summary: 'Read a kind of resource', params, response: scimAnswers } },
    async ({ params: { id } }) => findById(resourceTypes, id),
  )
  app.get(
    `${scimPath}/Schemas/:id`,
    { schema: { summary: 'Read a schema', params, response: scimAnswers } },
    async ({ params: { id } }) => findById(schemas, id),
  )
}

function findById<Item extends { readonly id: string }>(items: readonly Item[], id: string): Item {
  const found = items.find((item) => item.id === id)
  if (found !== undefined) return found
  throw new PosternError('NOT_FOUND', `There is no '${id}' here`)
}

function listOf(resources: readonly object[]) {
  const count = resources.length
  return { schemas: [scimSchemas.list], totalResults: count, startIndex: 1, itemsPerPage: count, Resources: resources }
}

function resourceType(id: string, path: string, of: string) {
  return {
    schemas: [`${SCHEMA_OF_SCHEMAS}:ResourceType`],
    id,
    name: id,
    endpoint: `/${path}`,
    schema: of,
    meta: { resourceType: 'ResourceType', location: `${scimPath}/ResourceTypes/${id}` },
  }
}

function schema(id: string, name: string, attributes: readonly object[]) {
  return {
    schemas: [`${SCHEMA_OF_SCHEMAS}:Schema`],
    id,
    name,
    attributes,
    meta: { resourceType: 'Schema', location: `${scimPath}/Schemas/${id}` },
  }
}

function attribute(name: string, type: string, more: object = {}) {
  const usual = { multiValued: false, required: false, caseExact: false, mutability: 'readWrite', returned: 'default' }
  return { name, type, uniqueness: 'none', ...usual, ...more }
}
