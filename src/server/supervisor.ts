import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../base/clock.ts'
import type { Secret } from '../base/secret.ts'
import type { Config } from '../config/parse-config.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { AddressRules } from '../dialer/address-rules.ts'
import { noCloudLogins } from '../dialer/cloud-logins.ts'
import { noSecretReferences } from '../dialer/secret-references.ts'
import { noTunnels } from '../dialer/ssh-tunnels.ts'
import { bootstrapWorkspace } from '../identity/bootstrap-workspace.ts'
import { provisionCreatorRole } from '../instances/provision-creator-role.ts'
import { claimSocketRoot } from '../postgres-server/socket-folder.ts'
import { migrate } from '../store/migrate.ts'
import { openStore, type Store } from '../store/store.ts'
import type { Logger } from '../telemetry/logger.ts'
import { bunTransport } from '../transport/bun/bun-transport.ts'
import { Children } from './children.ts'
import { Closers } from './closers.ts'
import { type DataFolder, openDataFolder, writeAtomically } from './data-folder.ts'
import { lockDataFolder } from './data-folder-lock.ts'
import { GatewayIdentity } from './gateway-identity.ts'
import { ManagedInstances } from './managed/managed-instances.ts'
import { startMetadataStore } from './metadata-store.ts'
import { MasterKeyExchange } from './master-key-exchange.ts'
import { obtainMasterKey } from './obtain-master-key.ts'
import { clearReadyFile, type ReadyFacts, readyFacts } from './ready-file.ts'
import { type SystemUsers, systemUsers } from './system-users.ts'

/** Everything of this node, running. */
export interface RunningNode {
  readonly facts: ReadyFacts
  /**
   * Drains requests and sessions for at most `drainMs` (or until `hurried`), then stops managed instances, and the metadata
   * Postgres last. Each step has a limit, whatever hangs: together 60 seconds beside the draining.
   */
  stop(drainMs: number, hurried: AbortSignal): Promise<void>
}

interface SupervisorOptions {
  readonly logger: Logger
  /** Where the children print: file descriptor. */
  readonly output: number
  /** Ends a start that is under way. */
  readonly signal: AbortSignal
}

/** What the steps of a start share. */
interface Node extends SupervisorOptions {
  readonly config: Config
  readonly folder: DataFolder
  readonly users: SystemUsers
  /** For the Unix sockets of this node's servers. */
  readonly socketRoot: string
  readonly closers: Closers
}

/** Managed instances that take longer than this to start, such as those that recover from a crash, go on in the background. */
const MANAGED_PATIENCE_MS = 5_000
/** A Postgres server of ours needs at most 19 seconds to its end; the store of a keeper that is at work may hang meanwhile. */
const SERVER_LIMIT_MS = 20_000
const LIMIT_MS = 2_000

/**
 * Starts everything of this node: lock, ports, metadata, schema, master key, first workspace, certificate, children and managed
 * instances. When a step fails, or the signal comes, what was started before it is stopped again.
 * @throws PosternError that says what to do about it; the reason of the signal
 */
export async function startNode(config: Config, options: SupervisorOptions): Promise<RunningNode> {
  const { logger } = options
  const closers = new Closers((name, error) => logger.error({ err: error, part: name }, 'could not be stopped'))
  let children: Children | undefined
  try {
    const folder = openDataFolder(config.dataDir)
    closers.add('lock', LIMIT_MS, await lockDataFolder(folder.lockFile, folder.path))
    // Not before the lock: the file may be that of a Postern that runs.
    if (config.readyFile !== undefined) clearReadyFile(config.readyFile)
    const users = await systemUsers((line) => logger.info(line))
    const socketRoot = claimSocketRoot(folder.nodeId, config.socketDir)
    closers.add('socket folder', LIMIT_MS, () => rmSync(socketRoot, { recursive: true, force: true }))
    const node: Node = { ...options, config, folder, users, socketRoot, closers }
    // They load their code while the metadata Postgres starts.
    children = await Children.begin(node)
    const facts = await unlessAsked(node, children, startParts(node, children))
    const running = children
    return {
      facts,
      async stop(drainMs, hurried) {
        await running.stop(drainMs, hurried)
        await closers.closeAll()
      },
    }
  } catch (error) {
    await children?.stop(0)
    await closers.closeAll()
    throw error
  }
}

/** A step that is under way may still start something: it is waited for, so that this is stopped as well. */
async function unlessAsked<T>({ signal }: Node, children: Children, starting: Promise<T>): Promise<T> {
  const asked = Promise.withResolvers<'asked'>()
  const onAsked = (): void => asked.resolve('asked')
  signal.addEventListener('abort', onAsked)
  if (signal.aborted) onAsked()
  try {
    if ((await Promise.race([starting, asked.promise])) === 'asked') {
      await children.stop(0)
      await Promise.race([starting, sleep(SERVER_LIMIT_MS, undefined, { ref: false })])
      throw signal.reason
    }
    return await starting
  } finally {
    signal.removeEventListener('abort', onAsked)
  }
}

async function startParts(node: Node, children: Children): Promise<ReadyFacts> {
  const { config, folder, closers, logger } = node
  const storeUrl = config.storeUrl ?? (await startOwnMetadata(node))
  const store = await openStore({ url: storeUrl, poolSize: 4, applicationName: 'postern supervisor' })
  closers.add('store', 2 * LIMIT_MS, () => store.close())
  await migrate(store)
  const masterKey = await obtainMasterKey(store, config, folder)
  await bootstrapFirstWorkspace(node, store, masterKey)
  const identity = await GatewayIdentity.load({ store, masterKey, config, caFile: folder.caFile })
  closers.add('certificate', LIMIT_MS, () => identity.close())
  const managed = managedInstances(node, store, masterKey)
  closers.add('managed instances', SERVER_LIMIT_MS, () => managed.close())
  const [ports] = await Promise.all([
    children.ready({ storeUrl, masterKey, tls: () => identity.current }),
    managed.start(MANAGED_PATIENCE_MS),
  ])
  const exchange = new MasterKeyExchange({ store, masterKey, config, folder, children, logger })
  children.onRotateMasterKey(() => exchange.run())
  exchange.resume()
  identity.follow(
    (presented) => children.presentCertificate(presented),
    (error) => logger.error({ err: error }, 'the certificate of the gateway was not refreshed'),
  )
  return readyFacts(config, ports, folder)
}

async function startOwnMetadata({ folder, users, socketRoot, logger, closers, signal }: Node): Promise<Secret> {
  const metadata = await startMetadataStore({
    home: folder.metadata,
    socketRoot,
    osUser: users.metadata,
    reader: users.own,
    logger,
    signal,
  })
  closers.add('metadata Postgres', SERVER_LIMIT_MS, () => metadata.stop())
  return metadata.url
}

async function bootstrapFirstWorkspace(
  { config, folder }: Pick<Node, 'config' | 'folder'>,
  store: Store,
  masterKey: MasterKey,
): Promise<void> {
  const first = {
    name: config.workspaceName,
    hosts: config.publicUrl === undefined ? [] : [new URL(config.publicUrl).host],
    gatewayDomain: config.gatewayDomain,
    adminEmail: config.adminEmail,
  }
  await bootstrapWorkspace({ store, masterKey, clock: systemClock }, first, async (password) => {
    writeAtomically(folder.adminPasswordFile, `${password.reveal()}\n`, 0o600)
  })
}

function managedInstances(node: Node, store: Store, masterKey: MasterKey): ManagedInstances {
  const { config, folder, users, socketRoot, logger } = node
  const dialer = {
    transport: bunTransport,
    addressRules: AddressRules.create(config.deniedAddresses),
    // It reaches its own servers alone, by their Unix sockets.
    tunnels: noTunnels,
    secretReferences: noSecretReferences,
    cloudLogins: noCloudLogins,
    tlsFileFolders: [],
  }
  return new ManagedInstances({
    store,
    masterKey,
    logger,
    socketRoot,
    nodeId: folder.nodeId,
    folderOf: (instanceId) => folder.instance(instanceId),
    gatewayUser: users.own,
    gatewayUserName: users.ownName,
    provisionCreatorRole: (instanceId) => provisionCreatorRole({ store, masterKey, dialer }, instanceId),
  })
}
