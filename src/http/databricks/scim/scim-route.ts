import { z } from 'zod'
import type { FastifyReply } from 'fastify'
import type { PrincipalId } from '../../../base/ids.ts'
import { PosternError } from '../../../base/errors.ts'
import type { Actor, PrincipalKind } from '../../../identity/actor.ts'
import {
  findProvisioned,
  listProvisioned,
  type ProvisionedPrincipal,
} from '../../../identity/provisioned-principals.ts'
import type { HttpDependencies } from '../../http-dependencies.ts'
import { directoryCondition, type ScimResource } from './directory-condition.ts'
import { parseFilter } from './parse-filter.ts'
import { presentResource, scimSchemas, selectAttributes } from './present-resource.ts'

/** At most so many resources in one answer; a client asks for the next ones by startIndex. */
const MAX_COUNT = 200

export const scimSelection = z.object({ attributes: z.string().optional(), excludedAttributes: z.string().optional() })
export const scimQuery = scimSelection.extend({
  filter: z.string().optional(),
  startIndex: z.coerce.number().int().default(1).describe('The first is 1.'),
  count: z.coerce.number().int().default(100).describe(`At most ${MAX_COUNT} are given.`),
  sortBy: z.string().optional().describe('Passed over: lists are in order of names.'),
  sortOrder: z.string().optional(),
})

const Resource = z.looseObject({ schemas: z.array(z.string()) })
const ScimError = z
  .object({ schemas: z.array(z.string()), status: z.string(), detail: z.string(), scimType: z.string().optional() })
  .meta({ id: 'ScimError', description: 'Why the request was not done (RFC 7644 section 3.12).' })

/** Answers of a SCIM route. */
export const scimAnswers = { 200: Resource, 201: Resource, '4xx': ScimError, '5xx': ScimError }
export const emptyScimAnswers = { 200: Resource, 204: z.null(), '4xx': ScimError, '5xx': ScimError }

const KINDS: Readonly<Record<ScimResource, PrincipalKind>> = {
  User: 'user',
  Group: 'group',
  ServicePrincipal: 'service_principal',
}

/**
 * A page of one kind of resource. Out-of-range positions are put right rather than refused, as RFC 7644 section 3.4.2.4 asks.
 * @throws PosternError INVALID_ARGUMENT with `detail.scimType` invalidFilter
 */
export async function listResources(
  deps: HttpDependencies,
  actor: Actor,
  resource: ScimResource,
  query: z.output<typeof scimQuery>,
): Promise<z.output<typeof Resource>> {
  const matching = query.filter === undefined ? undefined : directoryCondition(resource, parseFilter(query.filter))
  const startIndex = Math.max(1, query.startIndex)
  const page = { offset: startIndex - 1, limit: Math.min(MAX_COUNT, Math.max(0, query.count)) }
  const { total, principals } = await listProvisioned(deps, actor.workspaceId, KINDS[resource], matching, page)
  return {
    schemas: [scimSchemas.list],
    totalResults: total,
    startIndex,
    itemsPerPage: principals.length,
    Resources: principals.map((principal) => selectAttributes(presentResource(principal), query)),
  }
}

/**
 * The resource of this kind and id.
 * @throws PosternError NOT_FOUND, also for one of another kind
 */
export async function findResource(
  deps: HttpDependencies,
  actor: Actor,
  resource: ScimResource,
  id: string,
): Promise<ProvisionedPrincipal> {
  if (/^\d{1,18}$/.test(id)) {
    const principal = await findProvisioned(deps, actor.workspaceId, id as PrincipalId)
    if (principal.kind === KINDS[resource]) return principal
  }
  throw new PosternError('NOT_FOUND', `No ${resource} with id '${id}' belongs to this workspace`)
}

/** Answers with the resource as it is now. */
export async function sendResource(
  deps: HttpDependencies,
  actor: Actor,
  id: string,
  reply: FastifyReply,
  options: { readonly status?: 200 | 201; readonly selection?: z.output<typeof scimSelection> } = {},
): Promise<z.output<typeof Resource>> {
  const principal = await findProvisioned(deps, actor.workspaceId, id as PrincipalId)
  const resource = presentResource(principal)
  const { location } = resource['meta'] as { location: string }
  reply.code(options.status ?? 200).header('location', location)
  return selectAttributes(resource, options.selection ?? {}) as z.output<typeof Resource>
}
