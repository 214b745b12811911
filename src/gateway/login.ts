import { logInNatively } from '../access/log-in-natively.ts'
import type { UpstreamLoginDependencies } from '../access/upstream/connect-upstream.ts'
import type { LoginChannel } from '../access/upstream/login-channel.ts'
import { auditReason, auditRecord } from '../audit/audit-record.ts'
import type { AuditWriter } from '../audit/audit-writer.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { SessionId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import { writeAuthenticationCleartextPassword } from '../pgwire/authentication-request.ts'
import { writeNegotiateProtocolVersion } from '../pgwire/backend-messages.ts'
import { LATEST_PROTOCOL_MINOR } from '../pgwire/codes.ts'
import { readPasswordMessage } from '../pgwire/frontend-messages.ts'
import type { StartupMessage } from '../pgwire/startup-packet.ts'
import type { PasswordAttempts } from './password-attempts.ts'
import type { RefusedStrangers } from './refused-strangers.ts'
import type { LoginTarget } from './resolve-target.ts'
import { type JudgeDependencies, judgeToken, type LoginOutcome, neutralVerdict, type Verdict } from './verdict.ts'

export interface LoginDependencies extends JudgeDependencies, UpstreamLoginDependencies {
  readonly audit: AuditWriter
  readonly strangers: RefusedStrangers
  readonly passwordAttempts: PasswordAttempts
}

/**
 * Asks for the password, verifies it as a database credential, authorizes the login and writes its audit record; what is no
 * token at all is tried at the database, where the instance allows that. The record is durable before the outcome is returned;
 * a login that cannot be recorded is not allowed. Of the many refusals that a stranger may cause, the records are limited.
 *
 * @param onChannel told of a channel to the database at once, so that a time-out of the login can end it
 * @throws PosternError PROTOCOL_VIOLATION | STORE_UNAVAILABLE | AUDIT_UNAVAILABLE | TARGET_UNNAMED; PeerGone
 */
export async function login(
  deps: LoginDependencies,
  channel: LoginChannel,
  startup: StartupMessage,
  target: LoginTarget,
  session: { readonly id: SessionId; readonly peer: string },
  onChannel: (channel: LoginChannel) => void,
): Promise<LoginOutcome> {
  const password = await askForPassword(channel, startup)
  const refusalTime = deps.passwordAttempts.refusalTime()
  const entry = {
    action: 'login',
    workspaceId: target.workspaceId ?? null,
    targetType: 'instance',
    targetName: target.instanceName ?? null,
    sessionId: session.id,
    peer: session.peer,
    detail: { roleName: target.roleName, database: target.database },
  } as const
  let outcome: LoginOutcome | undefined
  try {
    const verdict =
      (await judgeToken(deps, password, target)) ??
      (await judgePassword(deps, new Secret(password), target, session.peer, onChannel))
    outcome = verdict.outcome
    const writing = verdict.neutral ? await deps.strangers.next(session.peer) : 'written'
    if (writing !== 'left-out') {
      const record = auditRecord({
        ...entry,
        outcome: outcome.allowed ? 'allowed' : 'denied',
        ...verdict.entry,
        ...(writing === 'last' && { reason: 'MORE_OF_THESE_ARE_NOT_RECORDED' as const }),
        detail: { ...entry.detail, ...verdict.entry.detail },
      })
      await deps.audit.append(record)
    }
    if (verdict.neutral) await refusalTime()
    return outcome
  } catch (thrown) {
    if (outcome?.allowed) outcome.upstream?.channel.socket.destroy()
    const error = asPosternError(thrown)
    if (error.code !== 'AUDIT_UNAVAILABLE') {
      await deps.audit.append(auditRecord({ ...entry, outcome: 'failed', reason: error.code }))
    }
    throw error
  }
}

/** A password is for the database itself to judge, where the instance lets anybody log in by one. */
async function judgePassword(
  deps: LoginDependencies,
  password: Secret,
  target: LoginTarget,
  peer: string,
  onChannel: (channel: LoginChannel) => void,
): Promise<Verdict> {
  const result = await deps.passwordAttempts.run(peer, () => logInNatively(deps, target, password, onChannel))
  if (result === undefined) return neutralVerdict(target, 'too-many-attempts')
  const instance = result.grant?.fields
  const entry = {
    ...(instance && {
      workspaceId: instance.workspaceId,
      targetId: instance.instanceId,
      targetName: instance.instanceName,
    }),
    detail: { proof: 'password' },
  }
  if (!result.allowed) {
    const { refusal, reason } = result
    return { outcome: { allowed: false, refusal }, entry: { ...entry, reason: auditReason(reason) }, neutral: true }
  }
  const { grant, upstream } = result
  return { outcome: { allowed: true, grant, upstream }, entry, neutral: false }
}

async function askForPassword(channel: LoginChannel, startup: StartupMessage): Promise<string> {
  const { minor, protocolOptions } = startup
  if (minor > LATEST_PROTOCOL_MINOR || protocolOptions.length > 0) {
    const newestMinor = Math.min(minor, LATEST_PROTOCOL_MINOR)
    channel.write(writeNegotiateProtocolVersion({ newestMinor, unrecognized: protocolOptions }))
  }
  channel.write(writeAuthenticationCleartextPassword())
  const message = await channel.readMessage()
  const password = message.type === 'p' ? readPasswordMessage(message.body) : undefined
  if (password === undefined) throw new PosternError('PROTOCOL_VIOLATION', 'expected a password message')
  return password
}
