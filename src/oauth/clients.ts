import { randomBytes } from 'node:crypto'
import type { ClientMetadata } from 'oidc-provider'
import type { WorkspaceId } from '../base/ids.ts'
import { findPrincipals } from '../store/principals.ts'
import type { Store } from '../store/store.ts'

/** The public client of Postern's own command line. It has no secret: a secret inside a published program is none. */
const commandLineClientId = 'postern'

/** Client metadata of ours: the id of the service principal that the client is. */
export const principalIdProperty = 'postern_principal_id'

// oidc-provider wants a client of this kind to have a secret; ours are compared by hash, so what stands here opens nothing.
const unusedSecret = randomBytes(32).toString('base64url')

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export const commandLineClient: ClientMetadata = {
  client_id: commandLineClientId,
  client_name: 'Postern command line',
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  grant_types: ['password'],
  response_types: [],
  redirect_uris: [],
}

/**
 * The OAuth client that an active service principal of the workspace is, as oidc-provider describes clients; undefined for
 * everybody else, so that a deactivated one gets no token from this moment on.
 */
export async function findServicePrincipalClient(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  clientId: string,
): Promise<ClientMetadata | undefined> {
  if (!uuid.test(clientId)) return undefined
  const [principal] = await findPrincipals(deps.store.db, workspaceId, { clientId })
  if (principal === undefined || !principal.active || principal.workspaceRole === null) return undefined
  return {
    client_id: principal.name,
    client_secret: unusedSecret,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    [principalIdProperty]: principal.id,
  }
}
