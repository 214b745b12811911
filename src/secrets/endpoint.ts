import { PosternError } from '../base/errors.ts'
import type { EndpointReference } from '../contract/secret-references.ts'
import { requireStoreOrigin } from './operator-policy.ts'
import { decodeBase64Secret, isObject, parseObject } from './secret-json.ts'
import type { SecretDocument, SecretSource } from './secret-source.ts'

const SERVICE = 'the secret endpoint'
const MUSTACHE = /^\{\{([^{}]+)\}\}$/

/**
 * A service of one's own: GET of its URL answers `{"payload":{"data":"<base64 of the secret>"}}` with status 200 ("Custom endpoint"
 * of the document; the shape is that of Google's AccessSecretVersion). Anything else is an error, never an empty secret.
 */
export const endpointSource: SecretSource<EndpointReference> = {
  documentOf: (reference) => [reference],
  keyOf: () => '',
  hostOf: ({ url }) => new URL(url).host,
  async fetch({ url: text, headers, tlsCa }, context): Promise<SecretDocument> {
    const url = new URL(text)
    requireStoreOrigin(url, context.policy)
    const { status, body } = await context.http.request({
      method: 'GET',
      url,
      headers: { accept: 'application/json', ...headers },
      tls: { caPem: tlsCa },
      signal: context.signal,
    })
    if (status !== 200) throw refusal(status, url.host)
    const { payload } = parseObject(body, SERVICE)
    const data = isObject(payload) ? payload['data'] : undefined
    return { values: new Map([['', decodeBase64Secret(data, SERVICE)]]), version: null, leaseMs: null }
  },
}

/**
 * The reference that a password of the form `{{https://…}}` stands for; undefined for any other password.
 * @throws PosternError INVALID_ARGUMENT when the braces are there and what they hold is no http or https URL
 */
export function readMustache(password: string): EndpointReference | undefined {
  const inner = MUSTACHE.exec(password.trim())?.[1]?.trim()
  if (inner === undefined) return undefined
  const url = URL.canParse(inner) ? new URL(inner) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new PosternError(
      'INVALID_ARGUMENT',
      'what stands between {{ and }} must be an http or https URL without a user',
      {
        hint: 'A password that really looks like this can be kept in a secret manager.',
      },
    )
  }
  return { source: 'endpoint', url: inner }
}

function refusal(status: number, host: string): PosternError {
  if (status === 401 || status === 403) {
    return new PosternError('SECRET_SOURCE_DENIED', `${SERVICE} ${host} refused us (HTTP ${status})`, {
      hint: 'Check the headers of the secret reference.',
    })
  }
  if (status === 404 || status === 410) {
    return new PosternError('SECRET_SOURCE_NOT_FOUND', `${SERVICE} ${host} has no such secret (HTTP ${status})`)
  }
  if (status >= 300 && status < 400) {
    return new PosternError('SECRET_SOURCE_REFUSED', `${SERVICE} ${host} redirects, which is not followed`)
  }
  if (status >= 500 || status === 429 || status === 408) {
    return new PosternError('SECRET_SOURCE_UNAVAILABLE', `${SERVICE} ${host} cannot answer now (HTTP ${status})`)
  }
  return new PosternError('SECRET_SOURCE_INVALID', `${SERVICE} ${host} answered with HTTP ${status} instead of 200`)
}
