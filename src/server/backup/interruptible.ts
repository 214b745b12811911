import { PosternError } from '../../base/errors.ts'
import { listenForSignals } from '../end-signals.ts'

/**
 * Runs work that must clean up behind itself when it is interrupted: a first SIGINT, SIGTERM or SIGHUP aborts the signal
 * instead of ending the process, and the work ends by itself.
 * @throws PosternError SHUTTING_DOWN when it was interrupted; otherwise what the work threw
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signals = listenForSignals()
  const controller = new AbortController()
  void signals.first.then((name) => {
    controller.abort(new PosternError('SHUTTING_DOWN', `Interrupted by ${name}; nothing was left behind.`))
  })
  try {
    return await work(controller.signal)
  } catch (thrown) {
    controller.signal.throwIfAborted()
    throw thrown
  } finally {
    signals.ignore()
  }
}
