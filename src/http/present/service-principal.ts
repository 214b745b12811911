import type { z } from 'zod'
import type { CreatedSecret, ServicePrincipal, ServicePrincipalSecret } from '../../contract/service-principals.ts'
import type { Secret } from '../../base/secret.ts'
import type * as domain from '../../identity/find-service-principal.ts'
import type * as secrets from '../../identity/service-principal-secrets.ts'

export function presentServicePrincipal(servicePrincipal: domain.ServicePrincipal): ServicePrincipal {
  const { id, clientId, displayName, workspaceRole, active, createdAt } = servicePrincipal
  return { id, clientId, displayName, workspaceRole, active, createdAt: createdAt.toISOString() }
}

export function presentSecret(secret: secrets.ServicePrincipalSecret): ServicePrincipalSecret {
  const { id, hint, createdAt, expiresAt, lastUsedAt } = secret
  return {
    id,
    hint,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt?.toISOString() ?? null,
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  }
}

/** The one answer that holds a secret's value. */
export function presentCreatedSecret(
  created: secrets.ServicePrincipalSecret & { readonly secret: Secret },
): z.output<typeof CreatedSecret> {
  return { ...presentSecret(created), secret: created.secret.reveal() }
}
