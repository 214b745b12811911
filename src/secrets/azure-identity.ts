import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { invalidAnswer, parseObject, parseObjectOrEmpty } from './secret-json.ts'
import type { FetchContext } from './secret-source.ts'

/** An application of Microsoft Entra ID. What is absent is taken from `AZURE_*` of this node. */
export interface AzureIdentity {
  readonly tenantId?: string | undefined
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
}

export interface AzureToken {
  readonly token: Secret
  readonly lifeMs: number
}

const AUTHORITY = 'https://login.microsoftonline.com'
const TENANT = /^[A-Za-z0-9.-]{1,128}$/

/** Whether the identity is that of this node: nobody entered a secret for it. */
export function isAmbient({ clientSecret }: AzureIdentity): boolean {
  return clientSecret === undefined
}

/**
 * An access token by the client credentials grant
 * (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow). The authority is Microsoft's, or the one
 * that the operator set with AZURE_AUTHORITY_HOST.
 *
 * @param scope for example `https://vault.azure.net/.default`
 * @throws PosternError SECRET_SOURCE_DENIED | SECRET_SOURCE_UNAVAILABLE | SECRET_SOURCE_INVALID
 */
export async function azureToken(identity: AzureIdentity, scope: string, context: FetchContext): Promise<AzureToken> {
  const { environment } = context.policy
  const own = isAmbient(identity)
  const tenantId = identity.tenantId ?? environment['AZURE_TENANT_ID']
  const clientId = identity.clientId ?? environment['AZURE_CLIENT_ID']
  const clientSecret = own ? environment['AZURE_CLIENT_SECRET'] : identity.clientSecret
  if (tenantId === undefined || clientId === undefined || clientSecret === undefined) {
    throw new PosternError('SECRET_SOURCE_DENIED', 'no Azure identity is known', {
      hint: 'Give tenant id, client id and client secret, or start Postern with AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.',
    })
  }
  if (!TENANT.test(tenantId)) throw new PosternError('INVALID_ARGUMENT', 'the Azure tenant id is malformed')
  const answer = await context.http.request({
    method: 'POST',
    url: new URL(`/${tenantId}/oauth2/v2.0/token`, environment['AZURE_AUTHORITY_HOST'] ?? AUTHORITY),
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope,
    }).toString(),
    signal: context.signal,
  })
  if (answer.status === 200) return readToken(answer.body)
  if (answer.status === 400 || answer.status === 401) {
    const { error } = parseObjectOrEmpty(answer.body)
    throw new PosternError('SECRET_SOURCE_DENIED', `Microsoft Entra refused the application ${clientId}`, {
      hint: 'Check tenant id, client id and client secret: a secret may have expired.',
      detail: { error },
    })
  }
  throw new PosternError('SECRET_SOURCE_UNAVAILABLE', `Microsoft Entra cannot answer now (HTTP ${answer.status})`)
}

function readToken(body: Buffer): AzureToken {
  const { access_token: token, expires_in: seconds } = parseObject(body, 'Microsoft Entra')
  if (typeof token !== 'string' || token === '' || typeof seconds !== 'number') {
    throw invalidAnswer('Microsoft Entra', 'the answer holds no access token')
  }
  return { token: new Secret(token), lifeMs: seconds * 1_000 }
}
