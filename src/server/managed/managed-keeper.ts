import { randomBytes } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { asPosternError, PosternError } from '../../base/errors.ts'
import type { InstanceId } from '../../base/ids.ts'
import { Secret } from '../../base/secret.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import { databricksAuthExtension } from '../../postgres-server/databricks-auth/extension-files.ts'
import { currentUid, ensureOsUser, type OsUser } from '../../postgres-server/os-user.ts'
import { claimSocketFolder } from '../../postgres-server/socket-folder.ts'
import { type RunningPostgres, startLocalPostgres } from '../../postgres-server/start-local-postgres.ts'
import { deleteInstance, findInstanceById, type InstanceChange } from '../../store/instances.ts'
import type { NodeInstanceRow } from '../../store/managed-instances.ts'
import type { Store } from '../../store/store.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { hasAdminDataSource, writeAdminDataSource } from './admin-data-source.ts'
import { ADMIN_ROLE, managedHba, managedIdent, managedSettings, SUPERVISOR_ROLE } from './managed-roles.ts'
import { provisionManagedInstance, setAdminPassword } from './provision-managed-instance.ts'
import { recordObservation } from './record-observation.ts'

export interface KeeperDependencies {
  readonly store: Store
  readonly masterKey: MasterKey
  readonly logger: Logger
  /** Home of the cluster of an instance. */
  readonly folderOf: (instanceId: string) => string
  readonly socketRoot: string
  /** User of the gateway and the control plane; undefined: the current user, who then runs everything. */
  readonly gatewayUser: OsUser | undefined
  readonly gatewayUserName: string
  /** Gives the creator his Postgres role, before the instance is AVAILABLE for the first time; may be repeated. */
  readonly provisionCreatorRole: (instanceId: InstanceId) => Promise<unknown>
}

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000
/** Fewer failures in a row are a stumble, more are a state that people should see. */
const FAILURES_UNTIL_FAILED = 3
/** A server that ran this long had a good start. */
const STABLE_MS = 60_000

const DATA_IS_GONE =
  'Its data is not on this node. Put its folder back below `instances` in the data folder, or delete the instance.'

/**
 * Keeps one managed instance in its desired state. One step at a time; every step can be repeated, so a keeper that was
 * killed at any point is simply started again.
 *
 *     desired running:  no server → starting → running ─(crash)→ waiting → starting …
 *                       no server, data gone → failed, until the data is there
 *     desired stopped:  running → stopping → no server
 *     desired deleted:  running → stopping → no server → folder and row removed
 */
export class ManagedKeeper {
  readonly #deps: KeeperDependencies
  readonly #logger: Logger
  #row: NodeInstanceRow
  #server: RunningPostgres | undefined
  /** One that accepts connections and is not provisioned yet. */
  #newServer: RunningPostgres | undefined
  #work: Promise<void> | undefined
  readonly #closing = new AbortController()
  /** A server of this keeper was provisioned and AVAILABLE: to start it again, the store is not needed. */
  #wasAvailable = false
  #observed: Promise<void> = Promise.resolve()
  #failures = 0
  #notBefore = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(deps: KeeperDependencies, row: NodeInstanceRow) {
    this.#deps = deps
    this.#row = row
    this.#logger = deps.logger.child({ instanceId: row.instanceId })
  }

  /** Tells the keeper what is desired now; it works towards it in the background. */
  reconcile(row: NodeInstanceRow): void {
    this.#row = row
    this.#wake()
  }

  /** Resolves when nothing is under way: the desired state is reached, or the next attempt is some time off. */
  async settled(): Promise<void> {
    await this.#work
  }

  /**
   * Stops the server, or the start of one, and does nothing more; the desired state stays, for the next start. Work that is
   * under way ends with its server, or finds out that it came too late: it may wait for a store that hangs.
   */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    await Promise.all([this.#server?.stop(), this.#newServer?.stop(), this.#work])
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  #wake(): void {
    if (this.#isClosing) return
    this.#work ??= this.#reachDesired()
      .catch((error: unknown) => this.#onFailure(error))
      .finally(() => {
        this.#work = undefined
      })
  }

  #wakeIn(delayMs: number): void {
    clearTimeout(this.#timer)
    this.#notBefore = Date.now() + delayMs
    this.#timer = setTimeout(() => this.#wake(), delayMs)
  }

  async #reachDesired(): Promise<void> {
    for (;;) {
      const { desired } = this.#row
      if (desired === 'running') await this.#keepRunning()
      else if (desired === 'stopped') await this.#keepStopped()
      else await this.#remove()
      if (this.#isClosing || this.#row.desired === desired) return
    }
  }

  async #keepRunning(): Promise<void> {
    if (this.#server) {
      // Stopped and started again before either was noticed.
      if (this.#row.state !== 'AVAILABLE') await this.#observeAvailable(this.#server)
      return
    }
    if (Date.now() < this.#notBefore) return
    if (await this.#isDataGone()) {
      await this.#observe({ state: 'FAILED', stateReason: DATA_IS_GONE })
      return
    }
    if (this.#wasAvailable) return this.#adopt(await this.#startServer())
    if (this.#failures < FAILURES_UNTIL_FAILED) await this.#observe({ state: 'STARTING', stateReason: null })
    const server = await this.#startServer()
    this.#newServer = server
    try {
      await this.#provision(server)
      await this.#observeAvailable(server)
    } catch (error) {
      await server.stop()
      throw error
    } finally {
      this.#newServer = undefined
    }
    this.#wasAvailable = true
    return this.#adopt(server)
  }

  async #adopt(server: RunningPostgres): Promise<void> {
    this.#server = server
    if (this.#isClosing) return server.stop()
    // With the store away this fails, and is done when the desired state is next read from it.
    this.#observeAvailable(server).catch(() => undefined)
    const startedAt = Date.now()
    this.#logger.info({ serverVersion: server.serverVersion }, 'managed instance is running')
    void server.exited.then((exit) => this.#onExit(server, startedAt, exit))
  }

  /**
   * It ran before, and its cluster is not here: the store was restored from a backup, or somebody removed the folder. A new
   * cluster in its place would be an empty database under the old name, with every Postgres role and table silently gone.
   */
  async #isDataGone(): Promise<boolean> {
    const { folderOf, store } = this.#deps
    const { instanceId } = this.#row
    if (existsSync(join(folderOf(instanceId), 'data'))) return false
    const instance = await findInstanceById(store.db, instanceId)
    return instance !== undefined && instance.systemIdentifier !== null
  }

  async #provision(server: RunningPostgres): Promise<void> {
    const { store, masterKey, provisionCreatorRole } = this.#deps
    const { instanceId } = this.#row
    await provisionManagedInstance(server)
    if (!(await hasAdminDataSource(store.db, instanceId, server))) {
      const password = new Secret(randomBytes(32).toString('base64url'))
      await setAdminPassword(server, password)
      await writeAdminDataSource(store.db, instanceId, server, password, masterKey)
    }
    // It has no system identifier until it has been AVAILABLE once: a creator who was unbound later stays unbound.
    const instance = await findInstanceById(store.db, instanceId)
    if (instance?.systemIdentifier !== null) return
    this.#logger.info({ outcome: await provisionCreatorRole(instanceId) }, "Postgres role of the instance's creator")
  }

  async #startServer(): Promise<RunningPostgres> {
    const { folderOf, socketRoot, gatewayUser, gatewayUserName } = this.#deps
    const { slot, instanceId } = this.#row
    // One user per cluster, so that whoever broke out of one server would still not read another's files.
    const osUser =
      currentUid() === 0 ? await ensureOsUser(`postern-pg-${slot}`, (line) => this.#logger.info(line)) : undefined
    return startLocalPostgres({
      folder: folderOf(instanceId),
      socketFolder: claimSocketFolder(socketRoot, `i${slot}`, osUser, gatewayUser),
      osUser,
      superuserName: SUPERVISOR_ROLE,
      hba: managedHba(),
      ident: managedIdent(gatewayUserName),
      settings: managedSettings(),
      extensions: databricksAuthExtension(ADMIN_ROLE),
      signal: this.#closing.signal,
    })
  }

  async #keepStopped(): Promise<void> {
    await this.#stopServer()
    this.#failures = 0
    this.#notBefore = 0
    await this.#observe({ state: 'STOPPED', stateReason: null })
  }

  async #remove(): Promise<void> {
    await this.#stopServer()
    // The folder first: a crash in between leaves the row, and with it the order to remove.
    rmSync(this.#deps.folderOf(this.#row.instanceId), { recursive: true, force: true })
    await deleteInstance(this.#deps.store.db, this.#row.instanceId)
    this.#logger.info('managed instance was removed')
  }

  async #stopServer(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    await server?.stop()
  }

  #onExit(server: RunningPostgres, startedAt: number, exit: unknown): void {
    if (this.#server !== server || this.#isClosing) return
    this.#server = undefined
    if (Date.now() - startedAt > STABLE_MS) this.#failures = 0
    this.#onFailure(
      new PosternError('LOCAL_POSTGRES_FAILED', 'The Postgres server ended by itself.', { detail: { exit } }),
    )
  }

  #onFailure(error: unknown): void {
    if (this.#isClosing) return
    this.#failures += 1
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (this.#failures - 1), LONGEST_RETRY_MS)
    this.#logger.error({ err: error, failures: this.#failures, retryInMs: delayMs }, 'managed instance failed')
    this.#wakeIn(delayMs)
    const state = this.#failures >= FAILURES_UNTIL_FAILED ? 'FAILED' : 'STARTING'
    const stateReason = asPosternError(error).message
    // The store may be what failed, or hang: then the state is written by a later attempt.
    this.#observe({ state, stateReason }).catch(() => undefined)
  }

  #observeAvailable({ serverVersion, systemIdentifier, socketFolder }: RunningPostgres): Promise<void> {
    return this.#observe({ state: 'AVAILABLE', stateReason: null, serverVersion, systemIdentifier }, socketFolder)
  }

  /** In the order in which things were seen, though not everybody waits for it to be written. */
  #observe(change: InstanceChange, socketPath?: string): Promise<void> {
    const written = this.#observed.then(() => recordObservation(this.#deps.store.db, this.#row, change, socketPath))
    this.#observed = written.catch(() => undefined)
    return written
  }
}
