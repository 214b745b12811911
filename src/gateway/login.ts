import { authorizeLogin } from '../access/authorize-login.ts'
import type { LoginFactsReader } from '../access/login-facts-reader.ts'
import { expiredRefusal, explainDenial, neutralRefusal } from '../access/login-denial.ts'
import type { LoginGrant } from '../access/login-grant.ts'
import type { LoginChannel } from '../access/upstream/login-channel.ts'
import { verifyDatabaseCredential } from '../access/verify-credential.ts'
import { type AuditEntry, auditReason, auditRecord } from '../audit/audit-record.ts'
import type { AuditWriter } from '../audit/audit-writer.ts'
import type { Clock } from '../base/clock.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { SessionId } from '../base/ids.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'
import { writeAuthenticationCleartextPassword } from '../pgwire/authentication-request.ts'
import { writeNegotiateProtocolVersion } from '../pgwire/backend-messages.ts'
import { LATEST_PROTOCOL_MINOR } from '../pgwire/codes.ts'
import { readPasswordMessage } from '../pgwire/frontend-messages.ts'
import type { StartupMessage } from '../pgwire/startup-packet.ts'
import type { GatewayMetrics } from '../telemetry/metrics.ts'
import type { RefusedStrangers } from './refused-strangers.ts'
import type { LoginTarget } from './resolve-target.ts'

export interface LoginDependencies {
  readonly signingKeys: SigningKeys
  readonly facts: LoginFactsReader
  readonly audit: AuditWriter
  readonly strangers: RefusedStrangers
  readonly clock: Clock
  readonly metrics: GatewayMetrics
  /** A neutral refusal is answered no sooner than this after the password came, so that time tells nothing. */
  readonly denialFloorMs: number
}

export type LoginOutcome =
  { readonly allowed: true; readonly grant: LoginGrant } | { readonly allowed: false; readonly refusal: PosternError }

interface Verdict {
  readonly outcome: LoginOutcome
  readonly entry: Partial<AuditEntry>
  /** Whoever is not known to us waits for the floor. */
  readonly neutral: boolean
}

/**
 * Asks for the password, verifies it as a database credential, authorizes the login and writes its audit record. The record is
 * durable before the outcome is returned; a login that cannot be recorded is not allowed. Of the many refusals that a stranger
 * may cause, the records are limited.
 *
 * @throws PosternError PROTOCOL_VIOLATION | STORE_UNAVAILABLE | AUDIT_UNAVAILABLE | TARGET_UNNAMED; PeerGone
 */
export async function login(
  deps: LoginDependencies,
  channel: LoginChannel,
  startup: StartupMessage,
  target: LoginTarget,
  session: { readonly id: SessionId; readonly peer: string },
): Promise<LoginOutcome> {
  const password = await askForPassword(channel, startup)
  const floor = delay(deps.denialFloorMs)
  const entry = {
    action: 'login',
    workspaceId: target.workspaceId ?? null,
    targetType: 'instance',
    targetName: target.instanceName ?? null,
    sessionId: session.id,
    peer: session.peer,
    detail: { roleName: target.roleName, database: target.database },
  } as const
  try {
    const verdict = await judge(deps, password, target)
    const writing = verdict.neutral ? await deps.strangers.next(session.peer) : 'written'
    if (writing !== 'left-out') {
      const record = auditRecord({
        ...entry,
        outcome: verdict.outcome.allowed ? 'allowed' : 'denied',
        ...verdict.entry,
        ...(writing === 'last' && { reason: 'MORE_OF_THESE_ARE_NOT_RECORDED' as const }),
        detail: { ...entry.detail, ...verdict.entry.detail },
      })
      await deps.audit.append(record)
    }
    if (verdict.neutral) await floor
    return verdict.outcome
  } catch (thrown) {
    const error = asPosternError(thrown)
    if (error.code !== 'AUDIT_UNAVAILABLE') {
      await deps.audit.append(auditRecord({ ...entry, outcome: 'failed', reason: error.code }))
    }
    throw error
  }
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

async function judge(deps: LoginDependencies, password: string, target: LoginTarget): Promise<Verdict> {
  const check = await verifyDatabaseCredential(deps, password)
  switch (check.kind) {
    case 'not-a-credential':
    case 'refused': {
      const reason = check.kind === 'refused' ? check.reason : 'not-a-credential'
      return {
        outcome: refused(neutralRefusal(target.roleName)),
        entry: { reason: auditReason(reason) },
        neutral: true,
      }
    }
    case 'expired': {
      const refusal = expiredRefusal(check.expiredAt, deps.clock.now())
      const { workspaceId, principalId, credentialId } = check
      const entry = {
        reason: 'CREDENTIAL_EXPIRED',
        workspaceId,
        actorId: principalId,
        detail: { credentialId },
      } as const
      return { outcome: refused(refusal), entry, neutral: false }
    }
    case 'verified': {
      const { principal } = check
      if (target.workspaceId !== undefined && target.workspaceId !== principal.workspaceId) {
        return {
          outcome: refused(neutralRefusal(target.roleName)),
          entry: { reason: 'OTHER_WORKSPACE' },
          neutral: true,
        }
      }
      const askedAt = performance.now()
      const { decision, principalName, source } = await authorizeLogin(deps.facts, principal, target)
      deps.metrics.storeAnswered(performance.now() - askedAt)
      const entry = {
        workspaceId: principal.workspaceId,
        actorId: principal.principalId,
        ...(principalName !== undefined && { actorName: principalName }),
        detail: { credentialId: principal.credentialId, factsFrom: source },
      }
      if (!decision.allowed) {
        const refusal = explainDenial(decision.denial, target, decision.state)
        return { outcome: refused(refusal), entry: { ...entry, reason: auditReason(decision.denial) }, neutral: false }
      }
      const { instanceId, instanceName } = decision.grant.fields
      return {
        outcome: { allowed: true, grant: decision.grant },
        entry: { ...entry, targetId: instanceId, targetName: instanceName },
        neutral: false,
      }
    }
  }
}

function refused(refusal: PosternError): LoginOutcome {
  return { allowed: false, refusal }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
