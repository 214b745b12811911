import type { InstanceId, WorkspaceId } from '../base/ids.ts'

/** `typ` of a database credential: an access token (`at+jwt`) can never pass for one, nor the other way round. */
export const credentialType = 'postern-db+jwt'

/** How long a database credential opens new sessions, where nobody asks for less. */
export const credentialLifetimeSeconds = 3600

/** The shortest life that a caller may ask for. */
export const credentialMinLifetimeSeconds = 300

/** Claim: immutable id of the only group as whose Postgres role the credential logs in. */
export const groupClaim = 'grp'

/** Claim: `true` in a credential that opens sessions on a read-only data source alone. */
export const readOnlyClaim = 'ro'

/** At most this many instances in one credential, so that it stays under 1 KB for one and small for all. */
export const credentialMaxInstances = 10

const workspacePrefix = 'urn:postern:workspace:'
const instancePrefix = 'urn:postern:instance:'

/** `iss` of the credentials of a workspace. It names the workspace, not an address, so that moving Postern keeps them valid. */
export function issuerOf(workspaceId: WorkspaceId): string {
  return workspacePrefix + workspaceId
}

/** `aud` entry for an instance. */
export function audienceOf(instanceId: InstanceId): string {
  return instancePrefix + instanceId
}

/** The instance that an `aud` entry names, or undefined when it names something else. */
export function instanceIdOf(audience: string | undefined): InstanceId | undefined {
  return audience?.startsWith(instancePrefix) ? (audience.slice(instancePrefix.length) as InstanceId) : undefined
}
