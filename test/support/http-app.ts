import { randomUUID } from 'node:crypto'
import { AuditWriter } from '../../src/audit/audit-writer.ts'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { newNumericId, type PrincipalId, type WorkspaceId } from '../../src/base/ids.ts'
import type { Secret } from '../../src/base/secret.ts'
import { MasterKey } from '../../src/crypto/master-key.ts'
import type { DialerDependencies } from '../../src/dialer/dial.ts'
import { createHttpApp, type HttpDependencies, type HttpOptions } from '../../src/http/app.ts'
import type { HttpApp } from '../../src/http/route.ts'
import type { Actor, WorkspaceRole } from '../../src/identity/actor.ts'
import { bootstrapWorkspace } from '../../src/identity/bootstrap-workspace.ts'
import { createServicePrincipal } from '../../src/identity/create-service-principal.ts'
import { createServicePrincipalSecret } from '../../src/identity/service-principal-secrets.ts'
import { resealStore } from '../../src/keys/reseal-store.ts'
import { SessionStatements } from '../../src/keys/session-statements.ts'
import { SigningKeys } from '../../src/keys/signing-keys.ts'
import type { Store } from '../../src/store/store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { HttpMetrics } from '../../src/telemetry/metrics.ts'
import { testDialer } from './test-dialer.ts'
import { testSqlParts } from './test-sql-parts.ts'

/** A workspace on a store of its own, and the control plane's HTTP application over it. */
export interface HttpFixture {
  readonly app: HttpApp
  readonly deps: HttpDependencies
  readonly workspaceId: WorkspaceId
  readonly adminEmail: string
  readonly adminPassword: Secret
  /** The bootstrap administrator, for calling domain functions. */
  readonly admin: Actor
  close(): Promise<void>
}

export const testHttpOptions: HttpOptions = {
  httpHost: '127.0.0.1',
  httpPort: 0,
  httpTlsCert: undefined,
  httpTlsKey: undefined,
  httpBehindTlsProxy: false,
  httpPasswordGrant: true,
  trustedProxies: [],
  publicUrl: undefined,
}

/** Builds the fixture; requests go through `app.inject`, whose default Host header is `localhost:80`. */
export async function startHttpFixture(
  store: Store,
  options: Partial<HttpOptions> = {},
  overrides: {
    readonly clock?: Clock
    readonly name?: string
    readonly hosts?: readonly string[]
    readonly dialer?: DialerDependencies
  } = {},
): Promise<HttpFixture> {
  const clock = overrides.clock ?? systemClock
  const masterKey = MasterKey.generate()
  const name = overrides.name ?? 'main'
  const adminEmail = `admin@${name}.test`
  const first = { name, hosts: overrides.hosts ?? [], gatewayDomain: `${name}.localhost`, adminEmail }
  const { workspaceId, adminPassword } = await bootstrapWorkspace({ store, masterKey, clock }, first)
  if (adminPassword === null) throw new Error('the workspace existed already')
  const signingKeys = await SigningKeys.load(store, masterKey, clock)
  const audit = new AuditWriter({ store, deadlineMs: 5_000 })
  const logger = createLogger({ level: 'fatal', role: 'test' })
  const dialer = overrides.dialer ?? testDialer()
  const instances = {
    dialer,
    localNodeId: randomUUID(),
    gatewayPort: 5432,
    gatewayCa: () => 'PEM',
    rotateMasterKey: () => resealStore({ store, masterKey }),
    egressAddresses: ['203.0.113.7'],
    surroundings: { inContainer: false, platform: 'linux' } as const,
  }
  const sql = testSqlParts({ store, clock, masterKey, dialer })
  const deps: HttpDependencies = {
    store,
    clock,
    masterKey,
    signingKeys,
    sessionStatements: SessionStatements.unread(store, masterKey),
    audit,
    logger,
    metrics: new HttpMetrics(),
    workspaceId,
    ...instances,
    ...sql,
  }
  const app = await createHttpApp(deps, { ...testHttpOptions, ...options })
  const [row] = await store.db
    .selectFrom('user_account')
    .select('principal_id')
    .where('email', '=', adminEmail)
    .execute()
  if (row === undefined) throw new Error('no administrator was made')
  return {
    app,
    deps,
    workspaceId,
    adminEmail,
    adminPassword,
    admin: {
      principalId: row.principal_id,
      kind: 'user',
      name: adminEmail,
      workspaceId,
      workspaceRole: 'admin',
      requestId: 'fixture',
      peer: '127.0.0.1',
    },
    async close() {
      await app.close()
      await audit.close()
    },
  }
}

export interface TestServicePrincipal {
  readonly id: PrincipalId
  readonly clientId: string
  readonly secret: string
}

/** A service principal with one secret. */
export async function addServicePrincipal(
  { deps, admin }: HttpFixture,
  workspaceRole: WorkspaceRole = 'member',
): Promise<TestServicePrincipal> {
  const created = await createServicePrincipal(deps, admin, { displayName: 'fixture', workspaceRole })
  const { secret } = await createServicePrincipalSecret(deps, admin, created.clientId, {})
  return { id: created.id, clientId: created.clientId, secret: secret.reveal() }
}

/** Puts principals into a new group and answers the group's id. */
export async function addGroup(
  store: Store,
  displayName: string,
  memberIds: readonly PrincipalId[],
): Promise<PrincipalId> {
  const id = newNumericId<PrincipalId>()
  await store.db.insertInto('principal').values({ id, kind: 'group', display_name: displayName }).execute()
  await store.db.insertInto('principal_group').values({ principal_id: id }).execute()
  for (const memberId of memberIds) {
    await store.db.insertInto('group_member').values({ group_id: id, member_id: memberId }).execute()
  }
  return id
}

interface TokenRequest {
  readonly form: Record<string, string>
  readonly basic?: { readonly clientId: string; readonly secret: string }
  readonly remoteAddress?: string
  readonly headers?: Record<string, string>
}

/** Sends a request to the token endpoint. */
export function requestToken(app: HttpApp, { form, basic, remoteAddress, headers }: TokenRequest) {
  const pair = basic && `${encodeURIComponent(basic.clientId)}:${encodeURIComponent(basic.secret)}`
  return app.inject({
    method: 'POST',
    url: '/oidc/v1/token',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(pair && { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }),
      ...headers,
    },
    payload: new URLSearchParams(form).toString(),
    ...(remoteAddress !== undefined && { remoteAddress }),
  })
}

/**
 * The access token of a service principal.
 * @param host of the workspace, where it is not the fixture's own
 */
export async function accessTokenOf(
  app: HttpApp,
  { clientId, secret }: TestServicePrincipal,
  host?: string,
): Promise<string> {
  const form = { grant_type: 'client_credentials', scope: 'all-apis' }
  const headers: Record<string, string> = host === undefined ? {} : { host }
  const answer = await requestToken(app, { form, basic: { clientId, secret }, headers })
  if (answer.statusCode !== 200) throw new Error(`no token: ${answer.statusCode} ${answer.body}`)
  return answer.json<{ access_token: string }>().access_token
}

export function bearer(accessToken: string): { authorization: string } {
  return { authorization: `Bearer ${accessToken}` }
}
