import { randomUUID } from 'node:crypto'
import { recordAudit } from '../../audit/record-audit.ts'
import { PosternError } from '../../base/errors.ts'
import type { CreateFederationPolicyInput } from '../../contract/federation-policies.ts'
import { readCertificates } from '../../dialer/tls-settings.ts'
import * as rows from '../../store/federation-policies.ts'
import { lockServicePrincipal } from '../../store/service-principal-secrets.ts'
import type { Store } from '../../store/store.ts'
import type { Actor } from '../actor.ts'
import { actorAudit } from '../actor-audit.ts'
import { requireOwnServicePrincipal } from '../find-service-principal.ts'
import { requireIssuerUrl } from '../issuers/issuer-url.ts'

const MAX_POLICIES = 20

export type FederationPolicy = rows.FederationPolicyRow

/**
 * Lets tokens of another issuer stand for a service principal: CI jobs and workloads then need no secret.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED for one of another workspace, which it would let act as it | INVALID_ARGUMENT |
 *   ALREADY_EXISTS for its name
 */
export async function createFederationPolicy(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
  input: CreateFederationPolicyInput,
): Promise<FederationPolicy> {
  requireIssuerUrl(input.issuer, 'issuer')
  if (input.jwksUri !== undefined) requireIssuerUrl(input.jwksUri, 'jwksUri')
  if (input.issuerCa !== undefined) readCertificates(input.issuerCa, 'issuerCa')
  const principalId = await requireOwnServicePrincipal(deps, actor, clientId)
  const id = randomUUID()
  await deps.store.db.transaction().execute(async (db) => {
    await lockServicePrincipal(db, principalId)
    const existing = await rows.listFederationPolicies(db, principalId)
    if (existing.length >= MAX_POLICIES) {
      throw new PosternError('INVALID_ARGUMENT', `A service principal has at most ${MAX_POLICIES} federation policies`)
    }
    const { issuerCa = null, jwksUri = null, ...rest } = input
    await rows.insertFederationPolicy(db, { id, principalId, issuerCa, jwksUri, ...rest })
    await recordAudit(db, {
      ...actorAudit(actor),
      action: 'federationPolicy.create',
      outcome: 'allowed',
      targetType: 'principal',
      targetId: principalId,
      targetName: clientId,
      detail: { policy: input.name, issuer: input.issuer, subject: input.subject, audiences: input.audiences },
    })
  })
  const created = (await rows.listFederationPolicies(deps.store.db, principalId)).find((policy) => policy.id === id)
  if (created === undefined) throw new PosternError('NOT_FOUND', `The policy '${input.name}' was deleted meanwhile`)
  return created
}

/**
 * Federation policies of a service principal, by name.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED for one of another workspace
 */
export async function listFederationPolicies(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
): Promise<FederationPolicy[]> {
  const principalId = await requireOwnServicePrincipal(deps, actor, clientId)
  return rows.listFederationPolicies(deps.store.db, principalId)
}

/**
 * Deletes a federation policy: no token is exchanged by it from this moment on. Access tokens got before live out their hour.
 * @throws PosternError NOT_FOUND | PERMISSION_DENIED for one of another workspace
 */
export async function deleteFederationPolicy(
  deps: { readonly store: Store },
  actor: Actor,
  clientId: string,
  name: string,
): Promise<void> {
  const principalId = await requireOwnServicePrincipal(deps, actor, clientId)
  await deps.store.db.transaction().execute(async (db) => {
    const deleted = await rows.deleteFederationPolicy(db, principalId, name)
    if (deleted === undefined) {
      throw new PosternError('NOT_FOUND', `Service principal '${clientId}' has no federation policy '${name}'`)
    }
    await recordAudit(db, {
      ...actorAudit(actor),
      action: 'federationPolicy.delete',
      outcome: 'allowed',
      targetType: 'principal',
      targetId: principalId,
      targetName: clientId,
      detail: { policy: name, issuer: deleted.issuer, subject: deleted.subject },
    })
  })
}
