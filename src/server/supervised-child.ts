import { type ChildProcess, spawn } from 'node:child_process'
import { asPosternError, PosternError } from '../base/errors.ts'
import { ownCommand } from '../base/installation.ts'
import { cloudEnvironment } from '../config/cloud-environment.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { ChildRole, CommonBootstrap, MessageFromChild, MessageToChild } from './child-messages.ts'

interface SupervisedChildOptions {
  readonly role: ChildRole
  /** Asked for at every start, so that a restarted child gets the current certificate. */
  readonly bootstrap: () => Promise<CommonBootstrap>
  /** Working folder, entered before the child gives up root. */
  readonly cwd: string
  readonly logger: Logger
  /** Where what it prints goes: file descriptor. */
  readonly output: number
  /** After the first start and after every other one. */
  readonly onReady?: () => void
  /** What it says beyond its start. */
  readonly onMessage?: (message: MessageFromChild) => void
}

const READY_LIMIT_MS = 30_000
const FIRST_RESTART_MS = 200
const LONGEST_RESTART_MS = 10_000
/** A child that lived this long had a good start: the next crash is the first again. */
const STABLE_MS = 30_000
/** After the draining, until a child is killed. */
const END_LIMIT_MS = 5_000

/**
 * One child process of the supervisor.
 *
 * States: starting → ready → (ended unasked) waiting → starting …; draining → ended. The first start fails loudly, because
 * a wrong option is best told at once; later ones are repeated for ever with a growing pause.
 */
export class SupervisedChild {
  readonly #options: SupervisedChildOptions
  #process: ChildProcess | undefined
  #isReady = false
  #stopping = false
  #restartMs = FIRST_RESTART_MS
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: SupervisedChildOptions) {
    this.#options = options
  }

  /**
   * Starts the child for the first time.
   * @returns the port that it listens on
   * @throws PosternError what the child said, or INTERNAL when it ended without a word
   */
  async start(): Promise<number> {
    const port = await this.#spawn()
    this.#superviseFromNow()
    return port
  }

  /** It waits for messages, as far as is known. */
  get isReady(): boolean {
    return this.#isReady && this.#process?.connected === true
  }

  get role(): ChildRole {
    return this.#options.role
  }

  send(message: MessageToChild): void {
    // A child that ended meanwhile is told everything again by its next bootstrap.
    if (this.#process?.connected) this.#process.send(message)
  }

  /**
   * Drains the child and waits for its end; kills it when `timeoutMs` and 5 seconds have passed.
   * @param hurried aborted when the draining is to end at once
   */
  async stop(timeoutMs: number, hurried?: AbortSignal): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    const child = this.#process
    if (!child || hasEnded(child)) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    if (!this.#isReady) child.kill('SIGKILL')
    let killer: ReturnType<typeof setTimeout> | undefined
    const drain = (drainMs: number): void => {
      this.send({ type: 'drain', timeoutMs: drainMs })
      clearTimeout(killer)
      killer = setTimeout(() => child.kill('SIGKILL'), drainMs + END_LIMIT_MS)
    }
    const onHurry = (): void => drain(0)
    hurried?.addEventListener('abort', onHurry)
    drain(hurried?.aborted ? 0 : timeoutMs)
    await ended
    hurried?.removeEventListener('abort', onHurry)
    clearTimeout(killer)
  }

  #spawn(): Promise<number> {
    const { role, cwd, bootstrap, output } = this.#options
    const { program, args } = ownCommand(role)
    const child = spawn(program, args, {
      cwd,
      // The tunnels log in to no cloud.
      env: { PATH: '/usr/bin:/bin', NODE_ENV: 'production', ...(role === 'tunnels' ? {} : cloudEnvironment()) },
      stdio: ['ignore', output, output, 'ipc'],
      // A process group of its own: Ctrl-C reaches the supervisor alone, which drains its children in order.
      detached: true,
    })
    this.#process = child
    this.#isReady = false
    return new Promise((resolve, reject) => {
      let failure: PosternError | undefined
      let timer: ReturnType<typeof setTimeout> | undefined
      const fail = (error: PosternError): void => {
        failure ??= error
        child.kill('SIGKILL')
      }
      const sendBootstrap = async (): Promise<void> => {
        const message = await bootstrap()
        timer = setTimeout(
          () => fail(new PosternError('INTERNAL', `The ${role} process was not ready in time.`)),
          READY_LIMIT_MS,
        )
        if (child.connected) child.send(message)
      }
      child.on('message', (message: MessageFromChild) => {
        if (message.type === 'loaded') sendBootstrap().catch((error: unknown) => fail(asPosternError(error)))
        else if (message.type === 'failed')
          failure = new PosternError(message.code, message.message, { hint: message.hint })
        else if (message.type === 'ready') {
          clearTimeout(timer)
          this.#isReady = true
          resolve(message.port)
          this.#options.onReady?.()
        } else this.#options.onMessage?.(message)
      })
      child.on('error', (cause) => {
        clearTimeout(timer)
        reject(new PosternError('INTERNAL', `The ${role} process could not be started.`, { cause }))
      })
      child.on('exit', (code, signal) => {
        clearTimeout(timer)
        reject(failure ?? new PosternError('INTERNAL', `The ${role} process ended (${code ?? signal}).`))
      })
    })
  }

  #superviseFromNow(): void {
    const child = this.#process
    if (!child) return
    const startedAt = Date.now()
    const onEnd = (): void => {
      if (this.#stopping) return
      if (Date.now() - startedAt > STABLE_MS) this.#restartMs = FIRST_RESTART_MS
      this.#restartLater(child.exitCode ?? child.signalCode)
    }
    if (hasEnded(child)) onEnd()
    else child.once('exit', onEnd)
  }

  #restartLater(ended: unknown): void {
    const { role, logger } = this.#options
    logger.error({ child: role, ended, restartInMs: this.#restartMs }, 'child process ended; it will be started again')
    this.#timer = setTimeout(() => {
      this.#spawn().then(
        () => this.#superviseFromNow(),
        (error: unknown) => {
          if (!this.#stopping) this.#restartLater(error instanceof Error ? error.message : error)
        },
      )
    }, this.#restartMs)
    this.#restartMs = Math.min(this.#restartMs * 2, LONGEST_RESTART_MS)
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
