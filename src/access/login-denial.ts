import { assertNever } from '../base/assert-never.ts'
import { PosternError } from '../base/errors.ts'
import type { LoginAttempt } from './authorize-login.ts'
import type { LoginDenial } from './decide-login.ts'

/**
 * The one sentence that everyone reads who did not present a credential of ours: unknown Postgres role, wrong password and
 * switched-off native login cannot be told apart (design section 5, invariant 7).
 */
export function neutralRefusal(roleName: string): PosternError {
  return new PosternError('AUTHENTICATION_FAILED', `password authentication failed for user "${roleName}"`, {
    hint: 'Use a database credential as the password: one issued in the last hour, for this instance, to a principal with this Postgres role. With a Postgres password, name the instance too: dbname=INSTANCE/DATABASE.',
  })
}

/** What the holder of a validly signed credential reads when its hour is over. */
export function expiredRefusal(expiredAt: Date, now: Date): PosternError {
  const minutes = Math.max(1, Math.round((now.getTime() - expiredAt.getTime()) / 60_000))
  const ago = minutes === 1 ? '1 minute' : `${minutes} minutes`
  return new PosternError('CREDENTIAL_EXPIRED', `authentication failed: the database credential expired ${ago} ago`, {
    hint: 'Get a new database credential and connect again. Open sessions are not affected.',
  })
}

/** What the holder of a valid credential reads when it does not open this: why, and what to do. */
export function explainDenial(denial: LoginDenial, target: LoginAttempt, state: string | undefined): PosternError {
  const role = `Postgres role "${target.roleName}"`
  const instance = target.instanceName === undefined ? 'the instance' : `instance "${target.instanceName}"`
  switch (denial) {
    case 'principal-unknown':
    case 'principal-inactive':
      return refusal(
        'PRINCIPAL_INACTIVE',
        'the principal that this credential was issued to is deactivated',
        'Ask a Workspace Admin.',
      )
    case 'not-in-workspace':
      return refusal(
        'PRINCIPAL_INACTIVE',
        'the principal that this credential was issued to is no longer in the workspace',
        'Ask a Workspace Admin.',
      )
    case 'instance-not-found':
      return refusal(
        'INSTANCE_NOT_FOUND',
        `${instance} does not exist in the workspace of this credential`,
        'Check the name of the instance.',
      )
    case 'credential-wrong-instance':
      return refusal(
        'CREDENTIAL_WRONG_INSTANCE',
        `this credential was not issued for ${instance}`,
        'Get a database credential that names this instance.',
      )
    case 'credential-wrong-group':
      return refusal(
        'ROLE_NOT_BOUND',
        `this credential was issued for the Postgres role of a group, and ${role} is another one`,
        'Log in with the name of the Postgres role of that group, or get a database credential that names no group.',
      )
    case 'access-token-not-accepted':
      return neutralRefusal(target.roleName)
    case 'read-only-unavailable':
      return new PosternError(
        'READ_ONLY_UNAVAILABLE',
        `authentication failed: this credential is for reading, and ${instance} has no read-only data source`,
        { hint: 'Have a physical standby added as a read-only data source, or get a credential without READ_ONLY.' },
      )
    case 'instance-not-available':
      return refusal(
        'INSTANCE_NOT_AVAILABLE',
        `${instance} is ${state ?? 'not AVAILABLE'}`,
        'Wait until it is AVAILABLE, or have it started.',
      )
    case 'role-not-bound':
      return refusal(
        'ROLE_NOT_BOUND',
        `${role} is not bound to any principal on ${instance}`,
        'Log in with the name of your own Postgres role, or ask a Workspace Admin or DBA to bind it.',
      )
    case 'role-of-another':
      return refusal(
        'ROLE_NOT_BOUND',
        `${role} on ${instance} belongs to another principal`,
        'Log in with the name of your own Postgres role.',
      )
    case 'not-a-member':
      return refusal(
        'NOT_A_MEMBER',
        `${role} on ${instance} belongs to a group that the principal is not a member of`,
        'Ask a Workspace Admin for membership in the group.',
      )
    case 'group-inactive':
      return refusal('ROLE_NOT_BOUND', `the group that ${role} belongs to is deactivated`, 'Ask a Workspace Admin.')
    case 'group-not-in-workspace':
      return refusal(
        'ROLE_NOT_BOUND',
        `the group that ${role} belongs to is not assigned to the workspace`,
        'Ask a Workspace Admin to assign the group.',
      )
    default:
      return assertNever(denial)
  }
}

function refusal(code: ConstructorParameters<typeof PosternError>[0], what: string, hint: string): PosternError {
  return new PosternError(code, `authentication failed: ${what}`, { hint })
}
