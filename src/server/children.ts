import { chmodSync, lchownSync, mkdirSync } from 'node:fs'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import type { Config } from '../config/parse-config.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { ChildBootstrap, ChildConfig, MessageFromChild, ServingRole } from './child-messages.ts'
import type { DataFolder } from './data-folder.ts'
import type { PresentedIdentity } from './gateway-identity.ts'
import { probePort } from './probe-port.ts'
import { SupervisedChild } from './supervised-child.ts'
import type { SystemUsers } from './system-users.ts'
import { TunnelProcess } from './tunnel-process.ts'

/** What children get to know once the store is open. */
export interface ChildSecrets {
  readonly storeUrl: Secret
  readonly masterKey: Secret
  /** Read at every start of a child. */
  readonly tls: () => PresentedIdentity
}

interface ChildrenOptions {
  readonly config: Config
  readonly folder: DataFolder
  readonly users: SystemUsers
  readonly socketRoot: string
  readonly logger: Logger
  readonly output: number
}

interface Ports {
  readonly http: number
  readonly gateway: number
}

const PORT_ATTEMPTS = 3

/** The processes that serve requests and sessions: the control plane and the workers of the gateway. */
export class Children {
  readonly #options: ChildrenOptions
  readonly #secrets = Promise.withResolvers<ChildSecrets>()
  readonly #all = new Set<SupervisedChild>()
  readonly #ports: { http: number; gateway: number }
  readonly #control: Promise<number>
  readonly #workers: Promise<number[]>
  readonly #tunnels: TunnelProcess

  private constructor(options: ChildrenOptions, ports: Ports) {
    this.#options = options
    this.#ports = { ...ports }
    this.#tunnels = new TunnelProcess({ ...options, config: () => childConfig(options.config, this.#ports) })
    this.#control = this.#startControl()
    this.#workers = Promise.all(
      Array.from({ length: options.config.gatewayWorkers }, (_, index) => this.#startWorker(index + 1)),
    )
    // Somebody asks for them in `ready`, or nobody any more.
    this.#control.catch(() => undefined)
    this.#workers.catch(() => undefined)
  }

  /**
   * Starts the processes on ports that were proven free. They load their code and wait for what `ready` hands them.
   * @throws PosternError PORT_IN_USE | CONFIG_INVALID
   */
  static async begin(options: ChildrenOptions): Promise<Children> {
    const { httpHost, httpPort, gatewayHost, gatewayPort } = options.config
    const http = await probePort(httpHost, httpPort, '--http-port')
    const gateway = await probePort(gatewayHost, gatewayPort, '--gateway-port')
    return new Children(options, { http, gateway })
  }

  /**
   * Hands out the secrets and waits until everything listens.
   * @throws PosternError what the first child that failed said
   */
  async ready(secrets: ChildSecrets): Promise<Ports> {
    this.#secrets.resolve(secrets)
    const [http, [gateway]] = await Promise.all([this.#control, this.#workers])
    return { http, gateway: gateway! }
  }

  presentCertificate({ identity, trustedPem }: PresentedIdentity): void {
    for (const child of this.#all) {
      child.send({ type: 'tls', identity: child.role === 'gateway' ? identity : undefined, gatewayCaPem: trustedPem })
    }
  }

  /**
   * The tunnels end last: sessions that drain go through them.
   * @param hurried ends the draining when it is aborted
   */
  async stop(drainMs: number, hurried?: AbortSignal): Promise<void> {
    await Promise.all([...this.#all].map((child) => child.stop(drainMs, hurried)))
    await this.#tunnels.stop()
  }

  async #startControl(): Promise<number> {
    const { config } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#start('control', 1)
      } catch (error) {
        // Another process took the free port between the probe and now.
        if (config.httpPort !== 0 || attempt === PORT_ATTEMPTS || !isPortInUse(error)) throw error
        this.#ports.http = await probePort(config.httpHost, 0, '--http-port')
      }
    }
  }

  async #startWorker(worker: number): Promise<number> {
    const { config } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#start('gateway', worker)
      } catch (error) {
        // Several workers share one port: none of them may choose another.
        const mayChoose = config.gatewayPort === 0 && config.gatewayWorkers === 1
        if (!mayChoose || attempt === PORT_ATTEMPTS || !isPortInUse(error)) throw error
        this.#ports.gateway = await probePort(config.gatewayHost, 0, '--gateway-port')
      }
    }
  }

  async #start(role: ServingRole, worker: number): Promise<number> {
    const { folder, logger, output } = this.#options
    const child = new SupervisedChild({
      role,
      logger,
      output,
      cwd: role === 'gateway' ? this.#workerFolder(worker) : folder.path,
      bootstrap: () => this.#bootstrap(role, worker),
      onMessage: (message) => void this.#receive(child, message),
    })
    this.#all.add(child)
    try {
      return await child.start()
    } catch (error) {
      this.#all.delete(child)
      throw error
    }
  }

  async #receive(child: SupervisedChild, message: MessageFromChild): Promise<void> {
    if (message.type !== 'tunnel-order') return
    const { id, order } = message
    child.send({ type: 'tunnel-answer', id, ticket: await this.#tunnels.order(order) })
  }

  async #bootstrap(role: ServingRole, worker: number): Promise<ChildBootstrap> {
    const { folder, users, config, socketRoot } = this.#options
    const { storeUrl, masterKey, tls } = await this.#secrets.promise
    return {
      type: 'bootstrap',
      config: childConfig(config, this.#ports),
      storeUrl: storeUrl.reveal(),
      masterKey: masterKey.reveal(),
      nodeId: folder.nodeId,
      socketRoot,
      worker,
      user: users.own && { uid: users.own.uid, gid: users.own.gid },
      tls: role === 'gateway' ? tls().identity : undefined,
      gatewayCaPem: tls().trustedPem,
    }
  }

  /** The audit spool of a worker; entered before root is given up, so that it needs no way in from above. */
  #workerFolder(worker: number): string {
    const { folder, users } = this.#options
    const path = folder.gateway(worker)
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o700)
    if (users.own) lchownSync(path, users.own.uid, users.own.gid)
    return path
  }
}

function childConfig(config: Config, ports: Ports): ChildConfig {
  const { storeUrl: _storeUrl, masterKey: _masterKey, readyFile: _readyFile, ...rest } = config
  return { ...rest, httpPort: ports.http, gatewayPort: ports.gateway }
}

function isPortInUse(error: unknown): boolean {
  return error instanceof PosternError && error.code === 'PORT_IN_USE'
}
