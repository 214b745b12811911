import { asPosternError, PosternError } from '../base/errors.ts'
import type { FastifyError } from 'fastify'
import { oauthError } from '../oauth/oauth-error.ts'
import { InvalidFields } from './field-errors.ts'

/** A failed request as it is answered. */
export interface FailureAnswer {
  readonly status: number
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
}

/**
 * Renders a failure in the words of the surface that was asked: RFC 9457 problems, `{error_code, message}` under `/api/`, the
 * errors of RFC 6749 under `/oidc/`, those of RFC 7644 for SCIM. Total over the error table; of a failure that is not ours only its id gets out.
 */
export function failureAnswer(
  error: PosternError,
  request: { readonly path: string; readonly id: string },
): FailureAnswer {
  const { status, headers } = { status: error.row.http, headers: failureHeaders(error) }
  if (request.path.startsWith('/oidc/')) {
    return { status, headers, contentType: 'application/json', body: oauthError(error).body }
  }
  if (request.path.startsWith('/api/2.0/preview/scim/')) {
    return { status, headers, contentType: 'application/json', body: scimFailure(error, request.id) }
  }
  if (request.path.startsWith('/api/')) {
    return { status, headers, contentType: 'application/json', body: apiError(error, request.id) }
  }
  return { status, headers, contentType: 'application/problem+json', body: problem(error, request.id) }
}

/** RFC 9457. */
function problem(error: PosternError, requestId: string): object {
  return {
    type: `urn:postern:error:${error.code}`,
    title: error.row.meaning,
    status: error.row.http,
    code: error.code,
    detail: error.message,
    hint: error.hint ?? error.row.action,
    requestId,
    ...extensionsOf(error),
  }
}

/** What a program needs of a failure besides its text (RFC 9457, extension members). Everything else of `detail` stays inside. */
function extensionsOf({ code, detail }: PosternError): object {
  if (code === 'UPSTREAM_SSH_HOST_KEY_UNKNOWN' && detail !== undefined) {
    const { host, port, hostKey, algorithm } = detail
    return { sshHostKey: { host, port, hostKey, algorithm } }
  }
  return code === 'SECRET_REQUIRED' && detail?.fields !== undefined ? { fields: detail.fields } : {}
}

const SCIM_TYPES: Partial<Record<PosternError['code'], string>> = {
  INVALID_ARGUMENT: 'invalidValue',
  MALFORMED_REQUEST: 'invalidSyntax',
  ALREADY_EXISTS: 'uniqueness',
}

/** RFC 7644 section 3.12. */
function scimFailure(error: PosternError, requestId: string): object {
  const { message } = apiError(error, requestId)
  const scimType = error.detail?.scimType ?? SCIM_TYPES[error.code]
  return {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
    status: String(error.row.http),
    detail: message,
    ...(scimType !== undefined && { scimType }),
  }
}

/** Both fields must be non-empty, or clients of the compatible API lose the code; `details` without metadata would, too. */
function apiError(error: PosternError, requestId: string): { error_code: string; message: string } {
  const message = error.code === 'INTERNAL' ? `${error.message} (request ${requestId})` : error.message
  return { error_code: error.row.apiCode, message: error.hint === undefined ? message : `${message}. ${error.hint}` }
}

function failureHeaders(error: PosternError): Record<string, string> {
  const headers: Record<string, string> = {}
  const seconds = error.detail?.retryAfterSeconds
  if (typeof seconds === 'number') headers['retry-after'] = String(seconds)
  // RFC 6750 section 3.1: no error code for a request that sent nothing to be wrong.
  if (error.row.http === 401) {
    headers['www-authenticate'] =
      error.detail?.sentNothing === true
        ? 'Bearer'
        : `Bearer error="${error.row.oauth}", error_description="${error.message.replace(/[^\x20-\x7e]|["\\]/g, '')}"`
  }
  return headers
}

/** What went wrong in the words of the error table, whoever threw it: our code, a schema, or fastify itself. */
export function asRequestError(thrown: unknown): PosternError {
  if (thrown instanceof InvalidFields) return thrown.asRequestError()
  const { code, statusCode } = (thrown ?? {}) as Partial<FastifyError>
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new PosternError('REQUEST_TOO_LARGE', 'The body of the request is too large')
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new PosternError('MALFORMED_REQUEST', 'The body must be JSON, with content-type application/json')
  }
  if (code?.startsWith('FST_ERR_CTP_') || thrown instanceof SyntaxError) {
    return new PosternError('MALFORMED_REQUEST', 'The body is not valid JSON', { cause: thrown })
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new PosternError('MALFORMED_REQUEST', 'The request is malformed', { cause: thrown })
  }
  return asPosternError(thrown)
}
