import { setTimeout as sleep } from 'node:timers/promises'
import { asPosternError } from '../base/errors.ts'
import { translateStoreError } from '../store/constraint-errors.ts'
import type { Logger } from '../telemetry/logger.ts'

/** What has to be read before there is anything to serve. */
export interface Loading {
  readonly isDone: boolean
  /** Ends the repetition. */
  stop(): void
}

const RETRY_MS = 500

/**
 * Reads once; while the store is away, again and again in the background, so that whoever waits can say so to clients.
 * @param load may be repeated
 * @param onFailure hears of a failure of a later attempt that is not the store's absence
 * @throws what the first attempt threw, unless the store was away
 */
export async function loadWhenStoreAnswers(
  load: () => Promise<void>,
  logger: Logger,
  onFailure: (thrown: unknown) => void,
): Promise<Loading> {
  const stopping = new AbortController()
  let isDone = false
  const attempt = async (): Promise<boolean> => {
    try {
      await load()
      isDone = true
    } catch (thrown) {
      if (asPosternError(translateStoreError(thrown)).code !== 'STORE_UNAVAILABLE') throw thrown
    }
    return isDone
  }
  const repeat = async (): Promise<void> => {
    logger.warn('the metadata store is away: logins are refused until it answers')
    do await sleep(RETRY_MS, undefined, { signal: stopping.signal })
    while (!(await attempt()))
    logger.info('the metadata store answers: logins are accepted')
  }
  if (!(await attempt())) {
    repeat().catch((thrown: unknown) => {
      if (!stopping.signal.aborted) onFailure(thrown)
    })
  }
  return {
    get isDone() {
      return isDone
    },
    stop: () => stopping.abort(),
  }
}
