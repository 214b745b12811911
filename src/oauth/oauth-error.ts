import type { PosternError } from '../base/errors.ts'

/** Body of a refused OAuth request (RFC 6749 section 5.2). */
export interface OauthErrorBody {
  readonly error: string
  readonly error_description: string
}

/** A failure of ours as an OAuth answer: total over the error table. What is not meant for callers says only "Internal error". */
export function oauthError(error: PosternError): { readonly status: number; readonly body: OauthErrorBody } {
  return { status: error.row.http, body: { error: error.row.oauth, error_description: error.message } }
}

/** Retry-After of a refusal by a limit, in seconds; a minute where nothing better is known. */
export function retryAfterOf({ detail }: PosternError): string {
  const seconds = detail?.retryAfterSeconds
  return typeof seconds === 'number' ? String(seconds) : '60'
}
