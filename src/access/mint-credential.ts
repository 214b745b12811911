import { randomUUID } from 'node:crypto'
import { auditRecord } from '../audit/audit-record.ts'
import type { AuditWriter } from '../audit/audit-writer.ts'
import { type Clock, epochSeconds } from '../base/clock.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { InstanceId, PrincipalId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { signJwt } from '../crypto/jwt.ts'
import type { Actor } from '../identity/actor.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import { type CredentialFacts, readCredentialFacts } from '../store/credential-facts.ts'
import type { Store } from '../store/store.ts'
import {
  audienceOf,
  credentialLifetimeSeconds,
  credentialMaxInstances,
  credentialMinLifetimeSeconds,
  credentialType,
  groupClaim,
  issuerOf,
  readOnlyClaim,
} from './credential-claims.ts'
import { authorize } from './policy.ts'

interface MintDependencies {
  readonly store: Store
  readonly signingKeys: SigningKeys
  readonly audit: AuditWriter
  readonly clock: Clock
}

interface MintInput {
  /** Chosen by the caller; kept in the audit record and never used to replay an answer. */
  readonly requestId?: string | undefined
  /** 1 to 10 names. */
  readonly instanceNames: readonly string[]
  /** The credential logs in only as the Postgres role of this group, which the actor is a direct or indirect member of. */
  readonly groupName?: string | undefined
  /** 300 to 3600; absent: 3600. */
  readonly lifetimeSeconds?: number | undefined
  /** The credential opens sessions on a read-only data source alone, proven a physical standby at each login. */
  readonly readOnly?: boolean | undefined
}

/** What a credential is for, once every wish was found to be one that can be honoured. */
interface CredentialScope {
  readonly instanceIds: readonly InstanceId[]
  readonly groupId: PrincipalId | undefined
}

/**
 * Issues a database credential for instances of the actor's workspace. Nothing of it is stored but its id. Every wish restricts
 * it: one that cannot be honoured is an error, so that nobody gets more than he asked for.
 *
 * @returns the compact JWS and the moment (whole second) from which it opens no new session
 * @throws PosternError INVALID_ARGUMENT | INSTANCE_NOT_FOUND | INSTANCE_NOT_AVAILABLE | ROLE_NOT_BOUND | AUDIT_UNAVAILABLE
 * @see design section 5b; "Obtain an OAuth token in a machine-to-machine flow"
 */
export async function issueDatabaseCredential(
  deps: MintDependencies,
  actor: Actor,
  input: MintInput,
): Promise<{ token: Secret; expiresAt: Date }> {
  const names = [...new Set(input.instanceNames)]
  const credentialId = randomUUID()
  const entry = {
    action: 'credential.issue',
    workspaceId: actor.workspaceId,
    actorId: actor.principalId,
    actorName: actor.name,
    requestId: actor.requestId,
    peer: actor.peer,
    targetType: 'instance',
    targetName: names.length === 1 ? (names[0] ?? null) : null,
  } as const
  const detail = {
    instances: names,
    callerRequestId: input.requestId ?? null,
    ...(input.groupName !== undefined && { group: input.groupName }),
    ...(input.readOnly && { readOnly: true }),
  }
  try {
    authorize(actor, 'credential.issue')
    const lifetimeSeconds = requireLifetime(input.lifetimeSeconds)
    const { instanceIds, groupId } = await requireScope(deps, actor, names, input)
    const issuedAt = epochSeconds(deps.clock.now())
    const expiresAt = new Date((issuedAt + lifetimeSeconds) * 1000)
    const token = signJwt(deps.signingKeys.current(actor.workspaceId, 'database_credential'), credentialType, {
      iss: issuerOf(actor.workspaceId),
      sub: actor.principalId,
      aud: instanceIds.map(audienceOf),
      iat: issuedAt,
      exp: issuedAt + lifetimeSeconds,
      jti: credentialId,
      ...(groupId !== undefined && { [groupClaim]: groupId }),
      ...(input.readOnly && { [readOnlyClaim]: true }),
    })
    const issued = { ...detail, credentialId, expiresAt: expiresAt.toISOString() }
    const targetId = instanceIds.length === 1 ? (instanceIds[0] ?? null) : null
    await deps.audit.append(auditRecord({ ...entry, targetId, outcome: 'allowed', detail: issued }))
    return { token: new Secret(token), expiresAt }
  } catch (thrown) {
    const error = asPosternError(thrown)
    if (error.code === 'AUDIT_UNAVAILABLE' || error.code === 'INTERNAL') throw thrown
    await deps.audit.append(auditRecord({ ...entry, outcome: 'denied', reason: error.code, detail }))
    throw error
  }
}

function requireLifetime(seconds = credentialLifetimeSeconds): number {
  if (Number.isInteger(seconds) && seconds >= credentialMinLifetimeSeconds && seconds <= credentialLifetimeSeconds)
    return seconds
  throw new PosternError(
    'INVALID_ARGUMENT',
    `A database credential lives ${credentialMinLifetimeSeconds} to ${credentialLifetimeSeconds} seconds, not ${seconds}`,
  )
}

async function requireScope(
  deps: MintDependencies,
  actor: Actor,
  names: readonly string[],
  { groupName, readOnly = false }: MintInput,
): Promise<CredentialScope> {
  if (names.length === 0 || names.length > credentialMaxInstances) {
    throw new PosternError(
      'INVALID_ARGUMENT',
      `instance_names must hold 1 to ${credentialMaxInstances} names, not ${names.length}`,
    )
  }
  const facts = await readCredentialFacts(deps.store.pool, actor.workspaceId, actor.principalId, names, groupName)
  const instances = names.map((name) => {
    const instance = facts.find((row) => row.name === name)
    if (!instance)
      throw new PosternError('INSTANCE_NOT_FOUND', `Database instance '${name}' does not exist in this workspace`)
    if (groupName === undefined) requireAccess(actor, instance)
    if (instance.state !== 'AVAILABLE') {
      throw new PosternError(
        'INSTANCE_NOT_AVAILABLE',
        `Database instance '${name}' is ${instance.state}, not AVAILABLE`,
      )
    }
    if (readOnly && !instance.hasReadOnlySource) throw nowhereToRead(name)
    return instance
  })
  return {
    instanceIds: instances.map(({ instanceId }) => instanceId),
    groupId: groupName === undefined ? undefined : requireGroup(actor, groupName, instances),
  }
}

function requireAccess(actor: Actor, { name, hasBinding, isCreator, hasPermission }: CredentialFacts): void {
  if (hasBinding || isCreator || hasPermission || actor.workspaceRole !== 'member') return
  throw new PosternError(
    'ROLE_NOT_BOUND',
    `'${actor.name}' has no access to database instance '${name}': no Postgres role there is bound to it or to a group that it is in`,
    { hint: `Ask a Workspace Admin or DBA to bind a Postgres role on '${name}'.` },
  )
}

/** The same words whether the group is unknown, unassigned, without a Postgres role or not the actor's: names are not for guessing. */
function requireGroup(actor: Actor, groupName: string, instances: readonly CredentialFacts[]): PrincipalId {
  const [groupId, ...others] = instances[0]?.groupIds ?? []
  const without = instances.find(({ groupIds }) => groupId === undefined || !groupIds.includes(groupId))
  if (groupId !== undefined && others.length === 0 && without === undefined) return groupId
  if (without === undefined) {
    throw new PosternError('INVALID_ARGUMENT', `'${actor.name}' is in several groups named '${groupName}'`)
  }
  throw new PosternError(
    'ROLE_NOT_BOUND',
    `'${actor.name}' is in no group '${groupName}' that is assigned to the workspace and has a Postgres role on database instance '${without.name}'`,
    { hint: 'Check the name, in this very case, or ask a Workspace Admin.' },
  )
}

function nowhereToRead(name: string): PosternError {
  return new PosternError(
    'INVALID_ARGUMENT',
    `A read-only credential cannot be honoured on database instance '${name}': it has no read-only data source`,
    { hint: 'Sessions of such a credential go to a physical standby. Have one added as a read-only data source.' },
  )
}
