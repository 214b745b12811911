import type { interactionPolicy } from 'oidc-provider'
import type { OidcProviderModule } from './load-provider.ts'

/**
 * When an authorization request stops to ask a person. Everybody who is not signed in signs in, also one whose principal was
 * deactivated or left the workspace since. And every request is confirmed: a native client proves nothing about who it is, so
 * that another program could get a token unseen from a browser that is signed in (RFC 8252 section 8.6).
 */
export function signInPolicy({ interactionPolicy }: OidcProviderModule): interactionPolicy.DefaultPolicy {
  const { Check, base } = interactionPolicy
  const policy = base()
  const isGone = new Check('principal_gone', 'the principal is no longer active here', ({ oidc }) =>
    oidc.session?.accountId !== undefined && oidc.account === undefined
      ? Check.REQUEST_PROMPT
      : Check.NO_NEED_TO_PROMPT,
  )
  policy.get('login')?.checks.add(isGone)
  return policy
}
