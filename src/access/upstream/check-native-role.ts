import { askUpstream } from './ask-upstream.ts'
import type { LoginChannel } from './login-channel.ts'

/** What a role is that logged in with a password, as its own session sees it. */
export interface NativeRole {
  readonly oid: string
  readonly systemIdentifier: string
  /** It is a superuser or may become one by SET ROLE, or it may replicate. */
  readonly isPrivileged: boolean
}

const question = `SELECT r.oid, s.system_identifier, r.rolreplication OR EXISTS (
   SELECT FROM pg_catalog.pg_roles AS p WHERE p.rolsuper AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER'))
 FROM pg_catalog.pg_roles AS r, pg_catalog.pg_control_system() AS s
 WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER`

/**
 * Asks the new upstream session who it is.
 * @returns undefined when it does not say: then it must not be used
 * @throws PosternError UPSTREAM_FAILED | UPSTREAM_PROTOCOL
 */
export async function readNativeRole(channel: LoginChannel): Promise<NativeRole | undefined> {
  const [oid, systemIdentifier, isPrivileged] = (await askUpstream(channel, question)) ?? []
  if (!oid || !systemIdentifier) return undefined
  return { oid, systemIdentifier, isPrivileged: isPrivileged !== 'f' }
}
