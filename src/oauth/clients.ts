import { randomBytes } from 'node:crypto'
import type { ClientMetadata } from 'oidc-provider'
import type { WorkspaceId } from '../base/ids.ts'
import { findPrincipals } from '../store/principals.ts'
import type { Store } from '../store/store.ts'

/** The public client of Postern's own command line. It has no secret: a secret inside a published program is none. */
export const commandLineClientId = 'postern'

/** Client metadata of ours: the id of the service principal that the client is. */
export const principalIdProperty = 'postern_principal_id'

// oidc-provider wants a client of this kind to have a secret; ours are compared by hash, so what stands here opens nothing.
const unusedSecret = randomBytes(32).toString('base64url')

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Grant of a device that has no browser (RFC 8628). */
export const deviceGrantType = 'urn:ietf:params:oauth:grant-type:device_code'

/**
 * Where programs listen for the answer of a browser (RFC 8252 section 7.3). The port is theirs to choose; the path is one of
 * those that real clients use.
 */
const loopbackRedirects = ['localhost', '127.0.0.1', '[::1]'].flatMap((host) =>
  ['', '/', '/callback'].map((path) => `http://${host}${path}`),
)

const publicNativeClient: Omit<ClientMetadata, 'client_id'> = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  response_types: ['code'],
  redirect_uris: loopbackRedirects,
}

/** The clients that come with every workspace: our command line, and the name that clients of the compatible API give. */
export function builtInClients(isPasswordGrantOffered: boolean): ClientMetadata[] {
  const grants = ['authorization_code', 'refresh_token']
  const commandLineGrants = [...grants, deviceGrantType, ...(isPasswordGrantOffered ? ['password'] : [])]
  const commandLine = { client_id: commandLineClientId, client_name: 'the Postern command line' }
  const databricks = { client_id: 'databricks-cli', client_name: 'the Databricks CLI or an SDK' }
  return [
    { ...publicNativeClient, ...commandLine, grant_types: commandLineGrants },
    { ...publicNativeClient, ...databricks, grant_types: grants },
  ]
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
