import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'

/** `SECRET_SOURCE_INVALID` for an answer that is not in the documented form. */
export function invalidAnswer(service: string, reason: string): PosternError {
  return new PosternError('SECRET_SOURCE_INVALID', `${service}: ${reason}`)
}

/** @throws PosternError SECRET_SOURCE_INVALID when the body is not a JSON object; its text is never quoted */
export function parseObject(body: Buffer, service: string): Record<string, unknown> {
  const value = tryParse(body)
  if (isObject(value)) return value
  throw invalidAnswer(service, 'the answer is not a JSON object')
}

/** The JSON object in the body, or an empty one: for the body of a failure, which may be anything. */
export function parseObjectOrEmpty(body: Buffer): Record<string, unknown> {
  const value = tryParse(body)
  return isObject(value) ? value : {}
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The entries that are text, as secrets. A number or an object is no secret: what its text would be is a guess. */
export function stringsOf(values: Readonly<Record<string, unknown>>): ReadonlyMap<string, Secret> {
  const strings = Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return new Map(strings.map(([key, value]) => [key, new Secret(value)]))
}

/**
 * Bytes of a strict base64 text (RFC 4648 section 4, padded), as UTF-8 text.
 * @throws PosternError SECRET_SOURCE_INVALID when it is anything else, or empty
 */
export function decodeBase64Secret(text: unknown, service: string): Secret {
  if (typeof text !== 'string' || text === '') throw invalidAnswer(service, 'the payload has no data')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalidAnswer(service, 'the payload is not base64')
  return textSecret(bytes, service)
}

/** @throws PosternError SECRET_SOURCE_INVALID when the bytes are not UTF-8 text, or none */
function textSecret(bytes: Uint8Array, service: string): Secret {
  if (bytes.length === 0) throw invalidAnswer(service, 'the secret is empty')
  try {
    return new Secret(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    throw invalidAnswer(service, 'the secret is not UTF-8 text')
  }
}

function tryParse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
