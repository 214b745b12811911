import { randomUUID } from 'node:crypto'
import { auditRecord } from '../audit/audit-record.ts'
import type { AuditWriter } from '../audit/audit-writer.ts'
import { type Clock, epochSeconds } from '../base/clock.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { InstanceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { signJwt } from '../crypto/jwt.ts'
import type { Actor } from '../identity/actor.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import { readCredentialFacts } from '../store/credential-facts.ts'
import type { Store } from '../store/store.ts'
import {
  audienceOf,
  credentialLifetimeSeconds,
  credentialMaxInstances,
  credentialType,
  issuerOf,
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
}

/**
 * Issues a one-hour database credential for instances of the actor's workspace. Nothing of it is stored but its id.
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
  const detail = { instances: names, callerRequestId: input.requestId ?? null }
  try {
    authorize(actor, 'credential.issue')
    const instanceIds = await requireInstances(deps, actor, names)
    const issuedAt = epochSeconds(deps.clock.now())
    const expiresAt = new Date((issuedAt + credentialLifetimeSeconds) * 1000)
    const token = signJwt(deps.signingKeys.current(actor.workspaceId, 'database_credential'), credentialType, {
      iss: issuerOf(actor.workspaceId),
      sub: actor.principalId,
      aud: instanceIds.map(audienceOf),
      iat: issuedAt,
      exp: issuedAt + credentialLifetimeSeconds,
      jti: credentialId,
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

async function requireInstances(deps: MintDependencies, actor: Actor, names: readonly string[]): Promise<InstanceId[]> {
  if (names.length === 0 || names.length > credentialMaxInstances) {
    throw new PosternError(
      'INVALID_ARGUMENT',
      `instance_names must hold 1 to ${credentialMaxInstances} names, not ${names.length}`,
    )
  }
  const facts = await readCredentialFacts(deps.store.pool, actor.workspaceId, actor.principalId, names)
  return names.map((name) => {
    const instance = facts.find((row) => row.name === name)
    if (!instance)
      throw new PosternError('INSTANCE_NOT_FOUND', `Database instance '${name}' does not exist in this workspace`)
    if (!instance.hasBinding && !instance.isCreator) {
      throw new PosternError(
        'ROLE_NOT_BOUND',
        `'${actor.name}' has no access to database instance '${name}': no Postgres role there is bound to it or to a group that it is in`,
        { hint: `Ask a Workspace Admin or DBA to bind a Postgres role on '${name}'.` },
      )
    }
    if (instance.state !== 'AVAILABLE') {
      throw new PosternError(
        'INSTANCE_NOT_AVAILABLE',
        `Database instance '${name}' is ${instance.state}, not AVAILABLE`,
      )
    }
    return instance.instanceId
  })
}
