import type { SsoProvider } from '../../../contract/sso-providers.ts'
import { shownTime } from '../../output.ts'

/** What a person sees of one SSO provider. */
export function ssoProviderFields(provider: SsoProvider): (readonly [string, string])[] {
  return [
    ['Name', provider.name],
    ['Issuer', provider.issuer],
    ['Client id', provider.clientId],
    ['Client secret', provider.hasClientSecret ? 'kept' : 'none'],
    ['Redirect URI', provider.redirectUri],
    ['Scopes', provider.scopes.join(' ')],
    ['Claims', `${provider.emailClaim}, ${provider.nameClaim}`],
    ['Groups claim', provider.groupsClaim ?? 'none'],
    ['E-mail domains', provider.emailDomains.join(', ') || 'verified addresses'],
    ['Creates users', provider.createsUsers ? 'yes' : 'no'],
    ['Enforced', provider.enforced ? 'yes: passwords are refused' : 'no'],
    ['Created', shownTime(provider.createdAt)],
    ['Id', provider.id],
  ]
}
