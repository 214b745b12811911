import { PosternError } from '../base/errors.ts'

/** `INVALID_ARGUMENT` that begins with the name of the field. */
export function invalidField(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}

const HOST_NAME =
  /^(?=.{1,255}$)(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?|[0-9a-f:.]*:[0-9a-f:.]*)$/i

/** A DNS name or an IP address, and nothing else that some library reads as a host. */
export function isHostName(host: string): boolean {
  return HOST_NAME.test(host)
}
