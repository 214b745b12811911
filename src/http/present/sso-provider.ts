import type { SsoProvider } from '../../contract/sso-providers.ts'
import type * as domain from '../../identity/sso/sso-providers.ts'

export function presentSsoProvider(provider: domain.SsoProvider, redirectUri: string): SsoProvider {
  const { clientSecretSealed, workspaceId: _workspace, scopes, emailDomains, createdAt, ...shown } = provider
  return {
    ...shown,
    scopes: [...scopes],
    emailDomains: [...emailDomains],
    hasClientSecret: clientSecretSealed !== null,
    redirectUri,
    createdAt: createdAt.toISOString(),
  }
}
