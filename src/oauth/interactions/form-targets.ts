import type { Interaction } from './interaction-dependencies.ts'
import { requestParameter } from './request-parameter.ts'

/**
 * Where an authorization request leads in the end, as a Content-Security-Policy names it. That language has no word for an
 * IPv6 address, so there it is every address by plain HTTP.
 */
export function formTargetsOf(interaction: Interaction): string[] {
  const redirect = URL.parse(requestParameter(interaction, 'redirect_uri'))
  if (redirect === null) return []
  return [redirect.hostname.startsWith('[') ? redirect.protocol : redirect.origin]
}
