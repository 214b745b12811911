import pg from 'pg'
import { PosternError } from '../base/errors.ts'
import { translateStoreError } from './constraint-errors.ts'

interface StoreClientConfig extends pg.ClientConfig {
  /** The session is cut when a statement has had no answer for so long. */
  readonly answerLimitMs: number
}

type Callback = (error: unknown, ...rest: unknown[]) => void

/**
 * A session of the metadata store that cannot hang. The server's own limit (`statement_timeout`) ends a slow statement, but
 * a server that is frozen, or gone from the network without a word, ends nothing: the session would keep its place in the pool
 * for ever. So a statement without an answer cuts its session, and the pool opens another.
 *
 * A failure on the way to the store is thrown as PosternError STORE_UNAVAILABLE, and so is an answer that says the same.
 */
export class StoreClient extends pg.Client {
  answerLimitMs: number

  constructor(config?: StoreClientConfig) {
    super(config)
    this.answerLimitMs = config?.answerLimitMs ?? Infinity
  }

  /** As pg's, in all its forms. */
  // oxlint-disable-next-line typescript/no-explicit-any -- seven overloads that are only passed on
  override query(...args: any[]): any {
    const send = super.query.bind(this) as (...args: unknown[]) => unknown
    const timer = Number.isFinite(this.answerLimitMs) ? setTimeout(() => this.#cut(), this.answerLimitMs) : undefined
    const callback: unknown = args.at(-1)
    if (typeof callback === 'function') {
      const settle: Callback = (error, ...rest) => {
        clearTimeout(timer)
        ;(callback as Callback)(error ? asStoreError(error) : error, ...rest)
      }
      return send(...args.slice(0, -1), settle)
    }
    return (send(...args) as Promise<unknown>)
      .catch((error: unknown) => {
        throw asStoreError(error)
      })
      .finally(() => clearTimeout(timer))
  }

  // With a statement under way, pg ends a session by destroying its socket; whoever waits for the statement hears of it.
  #cut(): void {
    void this.end().catch(() => undefined)
  }
}

/** For statements that may take any time, such as migrations: this session waits for every answer. */
export function waitForEver(session: pg.ClientBase): void {
  if (session instanceof StoreClient) session.answerLimitMs = Infinity
}

/** A pool that says in Postern's words when it has no session to give. */
export class StorePool extends pg.Pool {
  // oxlint-disable-next-line typescript/no-explicit-any -- with a callback or without, as pg's
  override connect(callback?: any): any {
    if (callback === undefined) {
      return super.connect().catch((error: unknown) => {
        throw asStoreError(error)
      })
    }
    return super.connect((error, client, done) => callback(error && asStoreError(error), client, done))
  }
}

/** What has no SQLSTATE was not said by the server: the way to it failed. */
function asStoreError(thrown: unknown): unknown {
  if (thrown instanceof pg.DatabaseError) return translateStoreError(thrown)
  if (thrown instanceof PosternError || thrown instanceof TypeError) return thrown
  return new PosternError('STORE_UNAVAILABLE', 'The metadata store does not answer.', { cause: thrown })
}
