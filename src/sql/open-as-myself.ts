import { authorizeLogin } from '../access/authorize-login.ts'
import { explainDenial } from '../access/login-denial.ts'
import type { LoginGrant } from '../access/login-grant.ts'
import { issueDatabaseCredential } from '../access/mint-credential.ts'
import { requireRoleLogin } from '../access/require-role-login.ts'
import { cancelUpstream } from '../access/upstream/cancel-upstream.ts'
import { connectUpstream, UpstreamRefusal } from '../access/upstream/connect-upstream.ts'
import type { LoginChannel } from '../access/upstream/login-channel.ts'
import { verifyDatabaseCredential } from '../access/verify-credential.ts'
import { type AuditEntry, auditReason, auditRecord } from '../audit/audit-record.ts'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { SessionId } from '../base/ids.ts'
import type { EngineSession } from '../engines/engine.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { SqlDependencies } from './sql-dependencies.ts'

const LOGIN_TIMEOUT_MS = 15_000

interface OwnLogin {
  readonly sessionId: SessionId
  readonly roleName: string
  readonly database: string
}

/**
 * Opens a session as a Postgres role of the actor's own, or of a group that he is in. It is a login like any other: a database
 * credential is issued to the actor and verified, the login is authorized on fresh facts and recorded, and the session's role is
 * checked to be the one that was bound. There is no shorter way in for a caller who is signed in already.
 *
 * @throws PosternError FEATURE_NOT_SUPPORTED | ROLE_NOT_BOUND | INSTANCE_NOT_AVAILABLE | PRINCIPAL_INACTIVE | ROLE_DRIFTED |
 *   DATABASE_NOT_FOUND | AUDIT_UNAVAILABLE | UPSTREAM_*
 */
export async function openAsMyself(
  deps: SqlDependencies,
  actor: Actor,
  instance: InstanceRow,
  login: OwnLogin,
  signal: AbortSignal,
): Promise<EngineSession> {
  const { adoptSession } = await requireRoleLogin(instance)
  const grant = await logIn(deps, actor, instance, login)
  const dialOptions = { ...deps.dialer, secrets: {}, timeoutMs: LOGIN_TIMEOUT_MS }
  const channels: LoginChannel[] = []
  const fail = (error: PosternError): void => channels.forEach((channel) => channel.fail(error))
  const timer = setTimeout(
    () => fail(new PosternError('LOGIN_TIMEOUT', 'the login was not finished in time')),
    LOGIN_TIMEOUT_MS,
  )
  const abort = (): void => fail(new PosternError('CANCELLED', 'the statement was cancelled before it began'))
  signal.addEventListener('abort', abort, { once: true })
  try {
    signal.throwIfAborted()
    const upstream = await connectUpstream(
      { ...deps, dialOptions, settings: { peerSocketRoot: deps.peerSocketRoot } },
      grant,
      {
        database: login.database,
        settings: [
          ['application_name', 'postern sql'],
          ['client_encoding', 'UTF8'],
        ],
      },
      (channel) => channels.push(channel),
    )
    upstream.channel.requireIntact()
    const { backendKey } = upstream
    return await adoptSession(grant.fields.route, {
      socket: upstream.channel.socket,
      greeting: upstream.greeting,
      unread: upstream.channel.release().unread,
      dialer: deps.dialer,
      cancel: async () => {
        if (backendKey !== undefined) await cancelUpstream(grant, backendKey, dialOptions, deps.masterKey)
      },
    })
  } catch (thrown) {
    for (const channel of channels) channel.socket.destroy()
    const error = signal.aborted ? new PosternError('CANCELLED', 'the statement was cancelled') : inOurWords(thrown)
    await record(deps, actor, instance, login, { action: 'session.start', outcome: 'failed', reason: error.code })
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

/** Verify, authorize, record: as at the gateway, and in that order. */
async function logIn(deps: SqlDependencies, actor: Actor, instance: InstanceRow, login: OwnLogin): Promise<LoginGrant> {
  const wish = { instanceNames: [instance.name], requestId: actor.requestId }
  const { token } = await issueDatabaseCredential(deps, actor, wish)
  const check = await verifyDatabaseCredential(deps, token.reveal())
  if (check.kind !== 'verified') throw new PosternError('INTERNAL', 'A credential that was just issued does not verify')
  const target = { instanceName: instance.name, roleName: login.roleName }
  const { decision, source } = await authorizeLogin(deps.loginFacts, check.principal, target)
  const detail = { credentialId: check.principal.credentialId, factsFrom: source }
  if (!decision.allowed) {
    const reason = auditReason(decision.denial)
    await record(deps, actor, instance, login, { action: 'login', outcome: 'denied', reason, detail })
    throw explainDenial(decision.denial, target, decision.state)
  }
  await record(deps, actor, instance, login, { action: 'login', outcome: 'allowed', detail })
  return decision.grant
}

function record(
  deps: SqlDependencies,
  actor: Actor,
  instance: InstanceRow,
  login: OwnLogin,
  entry: Pick<AuditEntry, 'action' | 'outcome' | 'reason' | 'detail'>,
): Promise<void> {
  return deps.audit.append(
    auditRecord({
      ...actorAudit(actor),
      targetType: 'instance',
      targetId: instance.id,
      targetName: instance.name,
      sessionId: login.sessionId,
      ...entry,
      detail: { roleName: login.roleName, database: login.database, via: 'sql', ...entry.detail },
    }),
  )
}

function inOurWords(thrown: unknown): PosternError {
  if (!(thrown instanceof UpstreamRefusal)) return asPosternError(thrown)
  if (thrown.sqlstate === '3D000') {
    return new PosternError('DATABASE_NOT_FOUND', 'the database of this name does not exist on the instance')
  }
  return new PosternError('UPSTREAM_FAILED', `the database refused the session (SQLSTATE ${thrown.sqlstate})`)
}
