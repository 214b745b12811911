import { PosternError, type ErrorCode } from '../base/errors.ts'
import type { ByteSocket } from '../transport/byte-socket.ts'

interface Limits {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Settles with the socket of `attempt`, or stops waiting for it: by `late` when the time is over, by CANCELLED when the signal
 * says so. A socket that comes after that is destroyed, so nothing stays open.
 */
export function socketInTime<T extends ByteSocket>(
  attempt: Promise<T>,
  { timeoutMs, signal }: Limits,
  late: readonly [code: ErrorCode, text: string],
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  let settled = false
  const settle = (finish: () => void) => {
    if (settled) return
    settled = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    finish()
  }
  const onAbort = () => settle(() => reject(cancelled()))
  const timer = setTimeout(() => settle(() => reject(new PosternError(...late))), Math.max(1, timeoutMs))
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  attempt.then(
    (socket) => {
      if (settled) socket.destroy()
      else settle(() => resolve(socket))
    },
    (thrown: unknown) => settle(() => reject(thrown)),
  )
  return promise
}

export function cancelled(): PosternError {
  return new PosternError('CANCELLED', 'the attempt to reach the database was cancelled')
}
