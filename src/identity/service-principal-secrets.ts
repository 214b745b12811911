import { randomUUID } from 'node:crypto'
import { recordAudit } from '../audit/record-audit.ts'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import * as rows from '../store/service-principal-secrets.ts'
import type { Store } from '../store/store.ts'
import type { Actor } from './actor.ts'
import { actorAudit } from './actor-audit.ts'
import { clientSecretHint, generateClientSecret, hashClientSecret } from './client-secret.ts'
import { requireOwnServicePrincipal } from './find-service-principal.ts'

const maxSecrets = 5

/** A secret of a service principal as it may be shown after its creation. */
export type ServicePrincipalSecret = rows.ServicePrincipalSecretRow

/**
 * Creates a secret. Its value is in the answer and nowhere else; only its hash is stored. Expired secrets make room.
 *
 * @param input.lifetimeSeconds absent: the secret never expires
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED for one of another workspace, which it would let act as it | TOO_MANY_SECRETS with five that have not expired
 */
export async function createServicePrincipalSecret(
  deps: { readonly store: Store; readonly clock: Clock },
  actor: Actor,
  clientId: string,
  input: { readonly lifetimeSeconds?: number | undefined },
): Promise<ServicePrincipalSecret & { readonly secret: Secret }> {
  const principalId = await requireOwnServicePrincipal(deps, actor, clientId)
  const secret = generateClientSecret()
  const now = deps.clock.now()
  const { lifetimeSeconds } = input
  const created = {
    id: randomUUID(),
    hint: clientSecretHint(secret),
    createdAt: now,
    expiresAt: lifetimeSeconds === undefined ? null : new Date(now.getTime() + lifetimeSeconds * 1000),
    lastUsedAt: null,
  }
  await deps.store.db.transaction().execute(async (db) => {
    await rows.lockServicePrincipal(db, principalId)
    await rows.deleteExpiredSecrets(db, principalId, now)
    const existing = await rows.listSecrets(db, principalId)
    if (existing.length >= maxSecrets) {
      throw new PosternError('TOO_MANY_SECRETS', `Service principal '${clientId}' has ${maxSecrets} secrets already`)
    }
    await rows.insertSecret(db, { ...created, principalId, hash: hashClientSecret(secret) })
    await recordAudit(db, {
      ...actorAudit(actor),
      action: 'secret.create',
      outcome: 'allowed',
      targetType: 'secret',
      targetId: created.id,
      targetName: created.hint,
      detail: { clientId, expiresAt: created.expiresAt?.toISOString() ?? null },
    })
  })
  return { ...created, secret }
}

/**
 * Secrets of a service principal, oldest first.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED for one of another workspace
 */
export async function listServicePrincipalSecrets(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
): Promise<ServicePrincipalSecret[]> {
  return rows.listSecrets(deps.store.db, await requireOwnServicePrincipal(deps, actor, clientId))
}

/**
 * Deletes a secret: it gets no access token from this moment on. Tokens it got before live out their hour; deactivate the
 * service principal to end those too.
 * @throws PosternError NOT_FOUND
 */
export async function deleteServicePrincipalSecret(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
  secretId: string,
): Promise<void> {
  const principalId = await requireOwnServicePrincipal(deps, actor, clientId)
  await deps.store.db.transaction().execute(async (db) => {
    const existed = await rows.deleteSecret(db, principalId, secretId)
    if (!existed) throw new PosternError('NOT_FOUND', `Service principal '${clientId}' has no secret '${secretId}'`)
    await recordAudit(db, {
      ...actorAudit(actor),
      action: 'secret.delete',
      outcome: 'allowed',
      targetType: 'secret',
      targetId: secretId,
      detail: { clientId },
    })
  })
}
