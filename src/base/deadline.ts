import { PosternError, type ErrorCode } from './errors.ts'

/**
 * Settles with `work`, or rejects with `code` after `timeoutMs`. The work itself is not stopped: pass it a signal as well
 * where it can be.
 */
export async function withDeadline<T>(
  work: Promise<T>,
  timeoutMs: number,
  code: ErrorCode,
  message: string,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PosternError(code, message)), timeoutMs)
  })
  try {
    return await Promise.race([work, expiry])
  } finally {
    clearTimeout(timer)
  }
}
