import { type Clock, systemClock } from '../base/clock.ts'
import { Secret } from '../base/secret.ts'
import { MasterKey } from '../crypto/master-key.ts'
import { AddressRules } from '../dialer/address-rules.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import { TunnelClient } from '../dialer/ssh/tunnel-client.ts'
import { loadEngine } from '../engines/registry.ts'
import { SessionStatements } from '../keys/session-statements.ts'
import { SigningKeys } from '../keys/signing-keys.ts'
import { prepareStore, type Store } from '../store/store.ts'
import { createLogger, type Logger } from '../telemetry/logger.ts'
import { transports } from '../transport/transports.ts'
import type { ChildBootstrap, MasterKeysMessage, ServingRole } from './child-messages.ts'
import { loadPrivateCode } from './load-private-code.ts'
import { composeSecrets } from './compose-secrets.ts'
import { tunnelOrders } from './tunnel-orders.ts'

/** What the control plane and the gateway are both made of. */
export interface SharedParts {
  readonly logger: Logger
  readonly clock: Clock
  readonly masterKey: MasterKey
  readonly store: Store
  readonly signingKeys: SigningKeys
  readonly sessionStatements: SessionStatements
  readonly dialer: DialerDependencies
  /**
   * Reads the signing keys and follows their changes; may be repeated when it failed.
   * @throws PosternError STORE_UNAVAILABLE | SECRET_UNREADABLE
   */
  load(): Promise<void>
  setMasterKeys(keys: Pick<MasterKeysMessage, 'current' | 'others'>): void
  close(): Promise<void>
}

const POOL_SIZE: Record<ServingRole, number> = { control: 10, gateway: 8 }
/** None of theirs takes long; whoever asks is told early that the store is away. */
const STATEMENT_LIMIT_MS = 3_000

/**
 * Builds what both roles need from a bootstrap, and asks nothing of the store yet. All code that is loaded on demand later is
 * loaded here, because a child that gave up root may no longer be able to read it.
 */
export async function composeShared(bootstrap: ChildBootstrap, role: ServingRole): Promise<SharedParts> {
  const { config } = bootstrap
  const logger = createLogger({ level: config.logLevel, role })
  const masterKey = MasterKey.parse(bootstrap.masterKey)
  for (const other of bootstrap.otherMasterKeys) masterKey.alsoOpen(MasterKey.parse(other))
  const store = prepareStore({
    url: new Secret(bootstrap.storeUrl),
    poolSize: POOL_SIZE[role],
    statementLimitMs: STATEMENT_LIMIT_MS,
    applicationName: role === 'gateway' ? `postern gateway ${bootstrap.worker}` : 'postern control',
  })
  const signingKeys = SigningKeys.unread(store, masterKey, systemClock)
  const sessionStatements = SessionStatements.unread(store, masterKey)
  let unfollow: (() => Promise<void>) | undefined
  await loadEngine('postgres')
  await loadPrivateCode(bootstrap.user, role)
  const transport = transports[role === 'gateway' ? config.gatewayTransport : 'bun']
  const ways = {
    transport,
    addressRules: AddressRules.create(config.deniedAddresses),
    tunnels: new TunnelClient({ transport, order: tunnelOrders() }),
    tlsFileFolders: config.tlsFileDirs,
    ambientGoogleProjects: config.ambientGoogleProjects,
  }
  const secrets = composeSecrets(bootstrap, ways, systemClock)
  return {
    logger,
    clock: systemClock,
    masterKey,
    store,
    signingKeys,
    sessionStatements,
    dialer: { ...ways, ...secrets },
    async load() {
      await signingKeys.refresh()
      await sessionStatements.load()
      unfollow ??= await signingKeys.follow((error) => logger.error({ err: error }, 'signing keys were not refreshed'))
    },
    setMasterKeys({ current, others }) {
      // What the last key sealed opens until it is said that nothing is left of it.
      masterKey.exchangeFor(MasterKey.parse(current))
      if (others.length === 0) masterKey.forgetOthers()
      for (const other of others) masterKey.alsoOpen(MasterKey.parse(other))
    },
    async close() {
      await secrets.secretReferences.close()
      await unfollow?.()
      await store.close()
    },
  }
}
