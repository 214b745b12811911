import { issueDatabaseCredential } from '../../access/mint-credential.ts'
import { PosternError } from '../../base/errors.ts'
import {
  DatabaseCredential,
  GenerateDatabaseCredentialInput,
  GeneratePostgresCredentialInput,
  PostgresCredential,
} from '../../contract/database-credentials.ts'
import { AttemptLimit } from '../../identity/attempt-limit.ts'
import { BRANCH_ID, ENDPOINT_ID } from '../present/postgres-project.ts'
import { actorOf, compatibleAnswers, type AddRoutes } from '../route.ts'

/** Passwords for Postgres, by both names that the compatible API has for them. */
export const databaseCredentialRoutes: AddRoutes = (app, deps) => {
  // A pool that asks for a credential per session stays far below; a loop gone wild does not fill the audit.
  const limit = new AttemptLimit({
    attempts: 1200,
    windowSeconds: 60,
    publicMessage: 'Too many database credentials in a short time: keep one until it expires',
  })

  app.post(
    '/api/2.0/database/credentials',
    {
      schema: {
        summary: 'Generate a database credential',
        body: GenerateDatabaseCredentialInput,
        response: compatibleAnswers(DatabaseCredential),
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { request_id: requestId, instance_names: instanceNames = [], claims } = request.body
      const readOnly = readClaims(claims)
      if (instanceNames.length === 0) {
        throw new PosternError(
          'INVALID_ARGUMENT',
          readOnly ? 'instance_names is required' : 'At least one of instance_names or claims is required',
        )
      }
      await limit.take(actor.principalId)
      const { token, expiresAt } = await issueDatabaseCredential(deps, actor, { requestId, instanceNames, readOnly })
      reply.header('cache-control', 'no-store')
      return { token: token.reveal(), expiration_time: wholeSeconds(expiresAt) }
    },
  )

  app.post(
    '/api/2.0/postgres/credentials',
    {
      schema: {
        summary: 'Generate a database credential for an endpoint, or for a group that logs in there',
        body: GeneratePostgresCredentialInput,
        response: compatibleAnswers(PostgresCredential),
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { endpoint, claims, group_name: groupName, ttl, expire_time: expireTime } = request.body
      const wishes = {
        instanceNames: [readEndpoint(endpoint)],
        groupName: groupName || undefined,
        readOnly: readClaims(claims),
        lifetimeSeconds: readLifetime(ttl || undefined, expireTime || undefined, deps.clock.now()),
      }
      await limit.take(actor.principalId)
      const { token, expiresAt } = await issueDatabaseCredential(deps, actor, wishes)
      reply.header('cache-control', 'no-store')
      return { token: token.reveal(), expire_time: wholeSeconds(expiresAt) }
    },
  )
}

/**
 * Whether the credential is to be for reading alone. Lakebase's claims add grants in its catalogue, ours restrict the session. No
 * claim is ignored: a caller that asked for less than everything must not get everything.
 * @throws PosternError INVALID_ARGUMENT
 */
function readClaims(claims: readonly unknown[] | null | undefined): boolean {
  if (!claims || claims.length === 0) return false
  const refused = claims.flatMap((claim) => {
    const { permission_set: set, resources } = (claim ?? {}) as { permission_set?: unknown; resources?: unknown }
    if (typeof set !== 'string') return ['a claim without permission_set']
    if (set !== 'READ_ONLY') return [`permission_set ${set.slice(0, 40)}`]
    const isWhole =
      resources === undefined || resources === null || (Array.isArray(resources) && resources.length === 0)
    return isWhole ? [] : ['resources of READ_ONLY']
  })
  if (refused.length === 0) return true
  throw new PosternError(
    'INVALID_ARGUMENT',
    `claims cannot be honoured: ${[...new Set(refused)].join(', ')}. Leave claims out to get a credential for the Postgres roles bound to you`,
    { hint: 'The one claim there is: {"permission_set": "READ_ONLY"}, for the whole instance.' },
  )
}

/** @throws PosternError INVALID_ARGUMENT | NOT_FOUND */
function readEndpoint(endpoint: string): string {
  const [, project, branch, id] = /^projects\/([^/]+)\/branches\/([^/]+)\/endpoints\/([^/]+)$/.exec(endpoint) ?? []
  if (project === undefined) {
    throw new PosternError('INVALID_ARGUMENT', 'endpoint: must be projects/INSTANCE/branches/BRANCH/endpoints/ENDPOINT')
  }
  if (branch === BRANCH_ID && id === ENDPOINT_ID) return project
  throw new PosternError('NOT_FOUND', `endpoint '${endpoint}' does not exist`, {
    hint: `The endpoint of instance '${project}' is projects/${project}/branches/${BRANCH_ID}/endpoints/${ENDPOINT_ID}.`,
  })
}

/** Seconds that the credential is to live; which lifetimes there are is the minting's to say. @throws PosternError INVALID_ARGUMENT */
function readLifetime(ttl: string | undefined, expireTime: string | undefined, now: Date): number | undefined {
  if (ttl !== undefined && expireTime !== undefined) {
    throw new PosternError('INVALID_ARGUMENT', 'ttl and expire_time: give one of them')
  }
  if (ttl !== undefined) {
    const seconds = /^(\d{1,9})(\.0{1,9})?s$/.exec(ttl)?.[1]
    if (seconds !== undefined) return Number(seconds)
    throw new PosternError('INVALID_ARGUMENT', 'ttl: must be whole seconds such as 900s')
  }
  if (expireTime === undefined) return undefined
  const isDate = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.test(expireTime)
  const at = isDate ? Date.parse(expireTime) : Number.NaN
  if (Number.isNaN(at))
    throw new PosternError('INVALID_ARGUMENT', 'expire_time: must be a time such as 2026-01-31T12:00:00Z')
  return Math.floor(at / 1000) - Math.floor(now.getTime() / 1000)
}

function wholeSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z')
}
