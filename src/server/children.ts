import { chmodSync, lchownSync, mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { asPosternError, PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { namedEnvironment } from '../config/cloud-environment.ts'
import type { Config } from '../config/parse-config.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import type { Resealed } from '../keys/reseal-store.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { ChildBootstrap, ChildConfig, MessageFromChild, ServingRole } from './child-messages.ts'
import type { DataFolder } from './data-folder.ts'
import type { PresentedIdentity } from './gateway-identity.ts'
import { FigureGathering } from './figure-gathering.ts'
import { probePort } from './probe-port.ts'
import { SupervisedChild } from './supervised-child.ts'
import type { SystemUsers } from './system-users.ts'
import { TunnelProcess } from './tunnel-process.ts'

/** What children get to know once the store is open. */
export interface ChildSecrets {
  readonly storeUrl: Secret
  /** Read at every start of a child: while it is exchanged there are several. */
  readonly masterKey: MasterKey
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
const KEYS_LIMIT_MS = 10_000

/** The processes that serve requests and sessions: the control plane and the workers of the gateway. */
export class Children {
  readonly #options: ChildrenOptions
  readonly #secrets = Promise.withResolvers<ChildSecrets>()
  readonly #all = new Set<SupervisedChild>()
  readonly #figures = new FigureGathering()
  readonly #ports: { http: number; gateway: number }
  readonly #control: Promise<number>
  readonly #workers: Promise<number[]>
  readonly #tunnels: TunnelProcess
  readonly #keyAnswers = new Map<number, Set<SupervisedChild>>()
  #lastKeysId = 0
  #rotation: () => Promise<Resealed> = () =>
    Promise.reject(new PosternError('INTERNAL', 'The master key cannot be exchanged before the start is complete.'))

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

  /**
   * Hands the keys to every child and waits until each has them: only then may something be sealed that the others could not
   * open before. A child that starts meanwhile gets them with its bootstrap.
   * @throws PosternError INTERNAL when one of them does not answer; nothing is lost, and the exchange may be tried again
   */
  async shareMasterKeys(masterKey: MasterKey): Promise<void> {
    const id = ++this.#lastKeysId
    const waiting = new Set([...this.#all].filter((child) => child.isReady))
    this.#keyAnswers.set(id, waiting)
    const current = masterKey.export().reveal()
    const others = masterKey.exportOthers().map((key) => key.reveal())
    for (const child of this.#all) child.send({ type: 'master-keys', id, current, others })
    const deadline = Date.now() + KEYS_LIMIT_MS
    // One that ended meanwhile starts with the keys as they are now.
    while ([...waiting].some((child) => child.isReady)) {
      if (Date.now() > deadline)
        throw new PosternError('INTERNAL', 'A process did not take the new master key in time.')
      await sleep(20)
    }
    this.#keyAnswers.delete(id)
  }

  /** What a request to exchange the master key starts. */
  onRotateMasterKey(rotation: () => Promise<Resealed>): void {
    this.#rotation = rotation
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
    if (message.type === 'tunnel-order') {
      const { id, order } = message
      child.send({ type: 'tunnel-answer', id, ticket: await this.#tunnels.order(order) })
    } else if (message.type === 'master-keys-known') {
      this.#keyAnswers.get(message.id)?.delete(child)
    } else if (message.type === 'figures') {
      this.#figures.take(message)
    } else if (message.type === 'all-figures-asked') {
      const ofProcesses = await this.#figures.gather([...this.#all].filter(({ isReady }) => isReady))
      child.send({ type: 'all-figures', id: message.id, ofProcesses })
    } else if (message.type === 'rotate-master-key') {
      const outcome = await this.#rotation().catch(failureFields)
      child.send({ type: 'master-key-rotated', id: message.id, outcome })
    }
  }

  async #bootstrap(role: ServingRole, worker: number): Promise<ChildBootstrap> {
    const { folder, users, config, socketRoot } = this.#options
    const { storeUrl, masterKey, tls } = await this.#secrets.promise
    return {
      type: 'bootstrap',
      config: childConfig(config, this.#ports),
      storeUrl: storeUrl.reveal(),
      masterKey: masterKey.export().reveal(),
      secretEnvironment: namedEnvironment(config.secretEnvironmentNames),
      otherMasterKeys: masterKey.exportOthers().map((key) => key.reveal()),
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
  const {
    storeUrl: _storeUrl,
    masterKey: _masterKey,
    otherMasterKey: _otherMasterKey,
    readyFile: _readyFile,
    ...rest
  } = config
  return { ...rest, httpPort: ports.http, gatewayPort: ports.gateway }
}

function failureFields(thrown: unknown) {
  const { code, message, hint } = asPosternError(thrown)
  return { code, message, hint }
}

function isPortInUse(error: unknown): boolean {
  return error instanceof PosternError && error.code === 'PORT_IN_USE'
}
