import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ControlPlane } from './control-plane.ts'
import type { LibpqTarget } from './psql.ts'
import { killGroup, startProgram, type ProgramEnd, type RunningProgram } from './running-program.ts'

/** What `serve` and `demo` write when everything accepts connections. The names are a stable contract for scripts. */
export interface ReadyFile {
  readonly httpUrl: string
  readonly gatewayHost: string
  readonly gatewayPort: number
  readonly caFile: string
  readonly workspace: string
  readonly adminEmail: string
  readonly adminPasswordFile: string
}

/** What `demo` adds. */
export interface DemoReadyFile extends ReadyFile {
  readonly instance: string
  readonly database: string
  readonly servicePrincipal: { readonly clientId: string; readonly clientSecret: string }
}

interface StartOptions {
  /** More flags, such as `['--login-timeout-seconds', '2']`. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** An existing data folder, which `stop` then leaves alone. Default: a new one, removed by `stop`. */
  readonly dataDir?: string
  /** Default 90 seconds. */
  readonly readyTimeoutMs?: number
  /** It is killed when it runs longer. Default 15 minutes. */
  readonly lifetimeMs?: number
  /** Default: that of the checkout. */
  readonly launcher?: string
}

/** One real Postern, started by its launcher as a user would, on free ports and a data folder of its own. */
export class RunningPostern<Ready extends ReadyFile = ReadyFile> {
  readonly ready: Ready
  readonly dataDir: string
  readonly #program: RunningProgram
  readonly #removeDataDir: () => void

  /** Use {@link startPostern} or {@link startDemo}. */
  constructor(ready: Ready, dataDir: string, program: RunningProgram, removeDataDir: () => void) {
    this.ready = ready
    this.dataDir = dataDir
    this.#program = program
    this.#removeDataDir = removeDataDir
  }

  /** Process id of the supervisor. */
  get pid(): number {
    return this.#program.pid
  }

  /** Everything it has printed so far. */
  logs(): string {
    return `${this.#program.stdout()}${this.#program.stderr()}`
  }

  /** PEM of the certificate authority that clients trust. */
  get ca(): string {
    return readFileSync(this.ready.caFile, 'utf8')
  }

  /** The control plane as the bootstrap admin. */
  asAdmin(): Promise<ControlPlane> {
    const password = readFileSync(this.ready.adminPasswordFile, 'utf8').trim()
    return ControlPlane.asUser(this.ready.httpUrl, this.ready.adminEmail, password)
  }

  /** The control plane as a service principal. */
  asServicePrincipal(clientId: string, clientSecret: string): Promise<ControlPlane> {
    return ControlPlane.asServicePrincipal(this.ready.httpUrl, clientId, clientSecret)
  }

  /** How a libpq program reaches an instance through the gateway, verified, by SNI host name. */
  libpqTarget(
    instance: { gatewayHost: string },
    login: { user: string; password: string; database: string },
  ): LibpqTarget {
    const { gatewayHost: hostaddr, gatewayPort: port, caFile: sslrootcert } = this.ready
    return { host: instance.gatewayHost, hostaddr, port, sslrootcert, ...login }
  }

  signal(signal: NodeJS.Signals): void {
    this.#program.signal(signal)
  }

  /** How it ended, once it has; for tests that end it themselves. */
  get ended(): Promise<ProgramEnd> {
    return this.#program.ended
  }

  /** Ends it by SIGTERM, by SIGKILL after `timeoutMs`, and removes its data folder. May be called after it has ended. */
  async stop(timeoutMs = 40_000): Promise<ProgramEnd> {
    this.signal('SIGTERM')
    const timer = setTimeout(() => killGroup(this.pid), timeoutMs)
    try {
      return await this.ended
    } finally {
      clearTimeout(timer)
      this.#removeDataDir()
    }
  }
}

/** Starts `postern serve` and waits until it is ready. */
export function startPostern(options: StartOptions = {}): Promise<RunningPostern> {
  return start<ReadyFile>('serve', options)
}

/** Starts `postern demo` and waits until it is ready: the instance `sample` and a service principal exist then. */
export function startDemo(options: StartOptions = {}): Promise<RunningPostern<DemoReadyFile>> {
  return start<DemoReadyFile>('demo', options)
}

/** A test run is over by then, whatever happened. */
const longestRunMs = 15 * 60_000

async function start<Ready extends ReadyFile>(
  command: 'serve' | 'demo',
  options: StartOptions,
): Promise<RunningPostern<Ready>> {
  const dataDir = options.dataDir ?? temporaryFolder('data-')
  const scratch = temporaryFolder('ready-')
  const readyFile = join(scratch, 'ready.json')
  const launcher = options.launcher ?? join(import.meta.dirname, '../../bin/postern')
  const flags = [
    '--data-dir',
    dataDir,
    '--http-port',
    '0',
    '--gateway-port',
    '0',
    '--ready-file',
    readyFile,
    ...(options.flags ?? []),
  ]
  const env = { HOME: scratch, ...options.env }
  const program = startProgram(launcher, [command, ...flags], { env, timeoutMs: options.lifetimeMs ?? longestRunMs })
  const killAtExit = () => killGroup(program.pid)
  process.once('exit', killAtExit)
  const removeFolders = () => {
    process.off('exit', killAtExit)
    rmSync(scratch, { recursive: true, force: true })
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    const ready = await waitForReadyFile<Ready>(readyFile, program, options.readyTimeoutMs ?? 90_000, () =>
      logTail(dataDir),
    )
    return new RunningPostern(ready, dataDir, program, removeFolders)
  } catch (error) {
    killGroup(program.pid)
    await program.ended.catch(() => undefined)
    removeFolders()
    throw error
  }
}

async function waitForReadyFile<Ready>(
  file: string,
  program: RunningProgram,
  timeoutMs: number,
  log: () => string,
): Promise<Ready> {
  const deadline = performance.now() + timeoutMs
  let end: ProgramEnd | undefined
  program.ended.then(
    (ended) => (end = ended),
    () => undefined,
  )
  for (;;) {
    const ready = readJson<Ready>(file)
    if (ready !== undefined) return ready
    const printed = () => `${program.stdout()}${program.stderr()}\n${log()}`
    if (end !== undefined) throw new Error(`Postern ended with code ${end.code} before it was ready:\n${printed()}`)
    if (performance.now() > deadline) throw new Error(`Postern was not ready within ${timeoutMs} ms:\n${printed()}`)
    await sleep(25)
  }
}

/** The last lines of the log that `demo` writes into its data folder. */
function logTail(dataDir: string): string {
  const file = join(dataDir, 'postern.log')
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-15).join('\n') : ''
}

/** The file's content, or undefined while it is absent or half written. */
function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    return undefined
  }
}

/** A new folder that other users may pass through: Postgres servers that root starts run as another user. */
export function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  chmodSync(folder, 0o755)
  return folder
}
