import type { ServicePrincipal } from '../../../contract/service-principals.ts'
import { shownTime } from '../../output.ts'

/** What a person sees of one service principal. */
export function servicePrincipalFields(principal: ServicePrincipal): (readonly [string, string])[] {
  return [
    ['Client id', principal.clientId],
    ['Display name', principal.displayName],
    ['Workspace role', principal.workspaceRole],
    ['Active', principal.active ? 'yes' : 'no'],
    ['Created', shownTime(principal.createdAt)],
    ['Id', principal.id],
  ]
}
