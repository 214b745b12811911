import { type ErrorCode, PosternError } from '../base/errors.ts'
import type { WorkspaceId } from '../base/ids.ts'
import type { Secret } from '../base/secret.ts'
import { decideNativeLogin } from './decide-native-login.ts'
import type { LoginFactsReader } from './login-facts-reader.ts'
import { neutralRefusal } from './login-denial.ts'
import type { NativeGrant } from './native-grant.ts'
import { readNativeRole } from './upstream/check-native-role.ts'
import {
  connectNatively,
  type UpstreamLoginDependencies,
  UpstreamRefusal,
  type UpstreamSession,
  type UpstreamTarget,
} from './upstream/connect-upstream.ts'
import { type LoginChannel, PeerGone } from './upstream/login-channel.ts'

interface NativeLoginDependencies extends UpstreamLoginDependencies {
  readonly facts: LoginFactsReader
}

/** What the login asks for: a password names no workspace, so the host name must, or there is only one. */
export interface NativeLoginAttempt extends UpstreamTarget {
  readonly workspaceId: WorkspaceId | undefined
  readonly instanceName: string | undefined
  readonly roleName: string
}

export type NativeLogin =
  | { readonly allowed: true; readonly grant: NativeGrant; readonly upstream: UpstreamSession }
  | {
      readonly allowed: false
      /** For the audit. */
      readonly reason: string
      /** For who sent the password. */
      readonly refusal: PosternError | UpstreamRefusal
      readonly grant: NativeGrant | undefined
      /** The database was asked, and the password may have been a guess. */
      readonly isGuess: boolean
    }

/** The database refused, or answers in a way that no password may be trusted to: none of it is for a stranger to know. */
const NEUTRAL_FAILURES: ReadonlySet<ErrorCode> = new Set([
  'ROLE_DRIFTED',
  'UPSTREAM_AUTH_FAILED',
  'UPSTREAM_AUTH_UNSAFE',
  'UPSTREAM_PROTOCOL',
])

/**
 * Logs in to a database as one of its own Postgres roles, by password, where the instance allows it. The password is proven by
 * SCRAM and sent nowhere. Then the session itself is asked what its role is: one that Postern made, under whatever name, takes a
 * credential only; a superuser, or who may replicate, must have been named by who configures the instance.
 *
 * @returns a value for whatever a client can cause, refusals by the database included
 * @throws PosternError STORE_UNAVAILABLE; PeerGone
 * @see design section 5b; "Authenticate with Postgres roles and passwords"
 */
export async function logInNatively(
  deps: NativeLoginDependencies,
  attempt: NativeLoginAttempt,
  password: Secret,
  onChannel: (channel: LoginChannel) => void,
): Promise<NativeLogin> {
  const { roleName, instanceName } = attempt
  const refuse = (reason: string, grant?: NativeGrant): NativeLogin => ({
    allowed: false,
    reason,
    refusal: neutralRefusal(roleName),
    grant,
    isGuess: grant !== undefined,
  })
  if (instanceName === undefined) return refuse('target-unnamed')
  const question = { workspaceId: attempt.workspaceId, instanceName, roleName }
  const decision = decideNativeLogin(roleName, await deps.facts.readNative(question))
  if (!decision.allowed) return refuse(decision.denial)
  const { grant } = decision
  let objection: string | undefined
  const check = async (channel: LoginChannel): Promise<void> => {
    objection = await objectionTo(deps, grant, channel)
    if (objection !== undefined) throw neutralRefusal(roleName)
  }
  try {
    return { allowed: true, grant, upstream: await connectNatively(deps, grant, password, attempt, onChannel, check) }
  } catch (thrown) {
    if (objection !== undefined) return refuse(objection, grant)
    if (thrown instanceof UpstreamRefusal) {
      // The password was right. Whoever may not log in by one must not learn that by asking for a database that there is not.
      await connectNatively(
        deps,
        grant,
        password,
        { ...attempt, database: grant.fields.defaultDatabase },
        onChannel,
        check,
      ).then(
        ({ channel }) => channel.socket.destroy(),
        () => undefined,
      )
      if (objection !== undefined) return refuse(objection, grant)
      return { allowed: false, reason: `sqlstate ${thrown.sqlstate}`, refusal: thrown, grant, isGuess: false }
    }
    if (!(thrown instanceof PosternError) || thrown.code === 'STORE_UNAVAILABLE' || thrown instanceof PeerGone)
      throw thrown
    if (NEUTRAL_FAILURES.has(thrown.code)) return refuse(thrown.code, grant)
    return { allowed: false, reason: thrown.code, refusal: thrown, grant, isGuess: false }
  }
}

/** Why the role of this session may not log in by password, whose password is right. */
async function objectionTo(
  deps: NativeLoginDependencies,
  grant: NativeGrant,
  channel: LoginChannel,
): Promise<string | undefined> {
  const role = await readNativeRole(channel)
  if (role === undefined) return 'role-unknown'
  const { systemIdentifier, isNamed } = grant.fields
  if (systemIdentifier !== null && systemIdentifier !== role.systemIdentifier) return 'other-cluster'
  if (await deps.facts.isBoundOid(role.systemIdentifier, role.oid)) return 'bound-role-takes-a-credential'
  return role.isPrivileged && !isNamed ? 'superuser-or-replication' : undefined
}
