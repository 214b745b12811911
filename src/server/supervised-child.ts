import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { type ErrorCode, PosternError } from '../base/errors.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { ChildBootstrap, ChildRole, MessageFromChild, MessageToChild } from './child-messages.ts'

interface SupervisedChildOptions {
  readonly role: ChildRole
  /** Read at every start, so that a restarted child gets the current certificate. */
  readonly bootstrap: () => ChildBootstrap
  /** Working folder, entered before the child gives up root. */
  readonly cwd: string
  readonly logger: Logger
}

const READY_LIMIT_MS = 30_000
const FIRST_RESTART_MS = 200
const LONGEST_RESTART_MS = 10_000
/** A child that lived this long had a good start: the next crash is the first again. */
const STABLE_MS = 30_000
const MAIN = join(import.meta.dirname, '..', 'main.ts')

/**
 * One child process of the supervisor.
 *
 * States: starting → ready → (ended unasked) waiting → starting …; draining → ended. The first start fails loudly, because
 * a wrong option is best told at once; later ones are repeated for ever with a growing pause.
 */
export class SupervisedChild {
  readonly #options: SupervisedChildOptions
  #process: ChildProcess | undefined
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

  send(message: MessageToChild): void {
    // A child that ended meanwhile is told everything again by its next bootstrap.
    if (this.#process?.connected) this.#process.send(message)
  }

  /** Drains the child and waits for its end; kills it when `timeoutMs` and a little more have passed. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    const child = this.#process
    if (!child || hasEnded(child)) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    this.send({ type: 'drain', timeoutMs })
    const killer = setTimeout(() => child.kill('SIGKILL'), timeoutMs + 5_000)
    await ended
    clearTimeout(killer)
  }

  #spawn(): Promise<number> {
    const { role, cwd, bootstrap } = this.#options
    // The same switches as bin/postern: nothing in the working folder may change what runs.
    const args = ['--config=/dev/null', '--no-env-file', '--no-install', MAIN, role]
    const child = spawn(process.execPath, args, {
      cwd,
      env: { PATH: '/usr/bin:/bin', NODE_ENV: 'production' },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A process group of its own: Ctrl-C reaches the supervisor alone, which drains its children in order.
      detached: true,
    })
    this.#process = child
    return new Promise((resolve, reject) => {
      let failure: PosternError | undefined
      const timer = setTimeout(() => {
        failure = new PosternError('INTERNAL', `The ${role} process was not ready in time.`)
        child.kill('SIGKILL')
      }, READY_LIMIT_MS)
      child.on('message', (message: MessageFromChild) => {
        if (message.type === 'ready') {
          clearTimeout(timer)
          resolve(message.port)
        } else failure = new PosternError(message.code as ErrorCode, message.message, { hint: message.hint })
      })
      child.on('error', (cause) => {
        failure = new PosternError('INTERNAL', `The ${role} process could not be started.`, { cause })
        clearTimeout(timer)
        reject(failure)
      })
      child.on('exit', (code, signal) => {
        clearTimeout(timer)
        reject(failure ?? new PosternError('INTERNAL', `The ${role} process ended (${code ?? signal}).`))
      })
      child.send(bootstrap())
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
