import { PosternError } from '../base/errors.ts'
import type { InstanceId } from '../base/ids.ts'
import type { LoginQuestion } from '../store/login-facts.ts'
import { decideLogin, type LoginDecision } from './decide-login.ts'
import type { LoginFactsReader } from './login-facts-reader.ts'
import type { VerifiedPrincipal } from './verified-principal.ts'

/** What the login asks for. A target that it does not name becomes the credential's single instance. */
export interface LoginAttempt {
  readonly instanceName: string | undefined
  readonly roleName: string
}

/**
 * Decides whether a verified principal may open a session as a Postgres role on an instance: one fresh read of the store,
 * nested group membership included. The caller writes the audit record before it acts on the answer.
 *
 * @returns the decision, the name of the principal if there still is one, and whether it rests on remembered facts because the
 *   store was away
 * @throws PosternError TARGET_UNNAMED when neither the login nor the credential says which instance; STORE_UNAVAILABLE
 * @see design sections 5a and 5b; "When authenticating as a group identity … the group membership is only validated at the time of authentication"
 */
export async function authorizeLogin(
  reader: LoginFactsReader,
  principal: VerifiedPrincipal,
  attempt: LoginAttempt,
): Promise<{ decision: LoginDecision; principalName: string | undefined; source: 'store' | 'memory' }> {
  const instance =
    attempt.instanceName === undefined ? { id: singleInstanceOf(principal) } : { name: attempt.instanceName }
  const question: LoginQuestion = {
    workspaceId: principal.workspaceId,
    principalId: principal.principalId,
    instance,
    roleName: attempt.roleName,
    readOnly: principal.readOnly,
  }
  const reading = await reader.read(question)
  const decision = decideLogin(principal, question, reading.facts)
  reader.learn(reading, decision)
  return { decision, principalName: reading.facts.principal?.name, source: reading.source }
}

function singleInstanceOf(principal: VerifiedPrincipal): InstanceId {
  const [only, ...others] = principal.instanceIds
  if (only !== undefined && others.length === 0) return only
  throw new PosternError(
    'TARGET_UNNAMED',
    'authentication failed: this database credential is for several instances and the login names none of them',
    {
      hint: 'Connect to the host name of the instance, or add options=endpoint=NAME, or use a database of the form NAME/database.',
    },
  )
}
