import { randomUUID } from 'node:crypto'
import { systemClock } from '../../src/base/clock.ts'
import { bindPostgresRole } from '../../src/access/bind-postgres-role.ts'
import { LoginFactsReader } from '../../src/access/login-facts-reader.ts'
import { issueDatabaseCredential } from '../../src/access/mint-credential.ts'
import { AuditWriter } from '../../src/audit/audit-writer.ts'
import { type Gateway, startGateway } from '../../src/gateway/gateway.ts'
import type { GatewaySettings } from '../../src/gateway/gateway-context.ts'
import type { PrincipalId } from '../../src/base/ids.ts'
import { type JwtClaims, signJwt } from '../../src/crypto/jwt.ts'
import { createInstance } from '../../src/instances/create-instance.ts'
import { SessionStatements } from '../../src/keys/session-statements.ts'
import { SigningKeys } from '../../src/keys/signing-keys.ts'
import type { Store } from '../../src/store/store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { GatewayMetrics } from '../../src/telemetry/metrics.ts'
import type { DataSourceRoute } from '../../src/dialer/data-source-route.ts'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { addDataSourceUser, createInstanceFixture, type InstanceFixture } from './instance-fixture.ts'
import { createTestAuthority, type TestAuthority } from './test-certificates.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from './upstream-postgres.ts'

/** A gateway in this process, so that a test sees what it holds, in front of a real upstream over TLS and a real store. */
export interface GatewayFixture {
  readonly gateway: Gateway
  readonly store: Store
  readonly upstream: UpstreamPostgres
  readonly instances: InstanceFixture
  /** Of the gateway. */
  readonly caPem: string
  /** Of the gateway and of the upstream's clients. */
  readonly authority: TestAuthority
  /** A service principal with a Postgres role on the instance `orders`, and a credential for it. */
  readonly login: { readonly clientId: string; readonly principalId: PrincipalId; readonly credential: string }
  /** Another credential for it. */
  mint(wish: Omit<Parameters<typeof issueDatabaseCredential>[2], 'instanceNames'>): Promise<string>
  /** Signed as the authorization server would, with these claims over the usual ones. */
  accessToken(claims?: Partial<JwtClaims>): string
  /** Fingerprints of cancel keys that the gateway asked other workers about. */
  readonly broadcasts: string[]
  stop(): Promise<void>
}

/** @param source changes to the data source of `orders` as the upstream itself would have it */
export async function startGatewayFixture(
  options: {
    settings?: Partial<GatewaySettings>
    source?: (source: { port: number; tlsMode: DataSourceRoute['tlsMode'] }) => Promise<object>
    /** Lines of the upstream's pg_hba.conf before the one that asks everybody for SCRAM. */
    hba?: readonly string[]
  } = {},
): Promise<GatewayFixture> {
  const authority = createTestAuthority('gateway and upstream')
  const local = await startEmbeddedPostgres()
  const upstream = await startUpstreamPostgres({
    tls: authority.issue(['127.0.0.1']),
    clientCaPem: authority.caPem,
    hba: [...(options.hba ?? []), 'host all all 127.0.0.1/32 scram-sha-256'],
  })
  const store = await local.freshStore()
  const instances = await createInstanceFixture(store)
  const { deps, admin } = instances
  const keeper = { ...(await addDataSourceUser(upstream, 'keeper')), tlsMode: 'require' as const }
  await createInstance(deps, admin, {
    kind: 'external',
    name: 'orders',
    engine: 'postgres',
    adminDataSource: { ...keeper, ...(await options.source?.(keeper)) },
  })
  const { clientId } = await instances.addPrincipal()
  const principal = { principal: { clientId }, attributes: { createDb: false, createRole: false, bypassRls: false } }
  const role = await bindPostgresRole(deps, admin, 'orders', { ...principal, administrator: false })
  const signingKeys = await SigningKeys.load(store, deps.masterKey, systemClock)
  const audit = new AuditWriter({ store, deadlineMs: 5_000 })
  const actor = { ...admin, principalId: role.principalId, name: clientId, workspaceRole: 'member' as const }
  const mint: GatewayFixture['mint'] = async (wish) => {
    const minting = { store, signingKeys, audit, clock: systemClock }
    const who = { ...actor, kind: 'service_principal' as const }
    return (await issueDatabaseCredential(minting, who, { ...wish, instanceNames: ['orders'] })).token.reveal()
  }
  const broadcasts: string[] = []
  const gateway = await startGateway({
    ...deps,
    signingKeys,
    sessionStatements: SessionStatements.unread(store, deps.masterKey),
    audit,
    clock: systemClock,
    facts: new LoginFactsReader({ pool: store.pool, clock: systemClock, deadlineMs: 5_000, rememberSeconds: 0 }),
    denialFloorMs: 20,
    logger: createLogger({ level: 'fatal', role: 'test' }),
    transport: deps.dialer.transport,
    dialOptions: { ...deps.dialer, secrets: {}, timeoutMs: 5_000 },
    tls: authority.issue(['localhost']),
    findWorkspaceByDomain: (domain) => (domain === 'main.localhost' ? admin.workspaceId : undefined),
    isLoaded: () => true,
    metrics: new GatewayMetrics(1),
    broadcastCancel: async (fingerprint) => void broadcasts.push(fingerprint),
    settings: {
      host: '127.0.0.1',
      port: 0,
      reusePort: false,
      loginTimeoutMs: 5_000,
      maxPreAuth: 4096,
      maxSessions: 1000,
      maxSessionsPerPrincipal: 1000,
      peerSocketRoot: '/run/postern/test',
      ...options.settings,
    },
  })
  return {
    gateway,
    store,
    upstream,
    instances,
    caPem: authority.caPem,
    authority,
    login: { clientId, principalId: role.principalId, credential: await mint({}) },
    mint,
    accessToken(claims) {
      const iat = Math.floor(Date.now() / 1000)
      const usual = { iss: 'https://main.test/oidc', sub: role.principalId, aud: admin.workspaceId, scope: 'all-apis' }
      const key = signingKeys.current(admin.workspaceId, 'access_token')
      return signJwt(key, 'at+jwt', { ...usual, iat, exp: iat + 3600, jti: randomUUID(), ...claims })
    },
    broadcasts,
    async stop() {
      await gateway.drain(0)
      await audit.close()
      await upstream.stop()
      await local.stop()
      authority.remove()
    },
  }
}
