import type { FastifySchemaCompiler } from 'fastify'
import type { z } from 'zod'
import { PosternError } from '../base/errors.ts'

type Issue = z.core.$ZodRawIssue

/** What a schema refused, before it is known whether that stood in the body, the query or the path. */
export class InvalidFields extends Error {
  override readonly name = 'InvalidFields'
  readonly fields: readonly string[]
  /** Fastify says it here: `body`, `querystring`, `params` or `headers`. */
  validationContext: string | undefined

  constructor(fields: readonly string[]) {
    super(fields.join('; '))
    this.fields = fields
  }

  /** Names every field that was refused, so that one attempt shows all mistakes. */
  asRequestError(): PosternError {
    const place = this.validationContext === undefined ? '' : ` in the ${placeName(this.validationContext)}`
    return new PosternError('INVALID_ARGUMENT', `Invalid${place}: ${[...new Set(this.fields)].join('; ')}`)
  }
}

/** Checks requests by their schemas, in Postern's words where a schema has none of its own. */
export const compileValidator: FastifySchemaCompiler<z.ZodType> = ({ schema }) => {
  return (data: unknown) => {
    const result = schema.safeParse(data, { error: describeIssue })
    if (!result.success) return { error: new InvalidFields(result.error.issues.map(nameField)) }
    const unstorable = findUnstorable(result.data)
    return unstorable === undefined ? { value: result.data } : { error: new InvalidFields([nameField(unstorable)]) }
  }
}

/**
 * Text that neither a database nor the metadata store can hold: a zero byte ends a name in most protocols, and what the store
 * refuses for its content would count as a failure of the store.
 */
function findUnstorable(data: unknown): { readonly path: readonly string[]; readonly message: string } | undefined {
  const left: { readonly value: unknown; readonly path: readonly string[] }[] = [{ value: data, path: [] }]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, path } = next
    if (typeof value === 'string') {
      if (value.includes('\0')) return { path, message: 'must not contain a zero byte' }
      if (!value.isWellFormed()) return { path, message: 'must not contain half a character' }
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, part] of Object.entries(value)) {
        left.push({ value: part, path: [...path, key] }, { value: key, path })
      }
    }
  }
  return undefined
}

function nameField({ path, message }: { readonly path: readonly PropertyKey[]; readonly message: string }): string {
  if (path.length > 0) return `${path.map(String).join('.')}: ${message}`
  return /^(is|must|has) /.test(message) ? `it ${message}` : message
}

/** One rule that a field broke, as what the field must be. Total: what has no sentence of its own "is invalid". */
function describeIssue(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${typeName(String(issue.expected))}`
    case 'invalid_value':
      return issue.input === undefined ? 'is required' : `must be ${oneOf(issue.values)}`
    case 'too_small':
      return issue.minimum === 1 && issue.origin !== 'number'
        ? 'must not be empty'
        : `must ${amount('at least', issue.origin, issue.minimum)}`
    case 'too_big':
      return `must ${amount('at most', issue.origin, issue.maximum)}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_format':
      return formats[issue.format] ?? 'does not have the form that it must have'
    case 'unrecognized_keys':
      return `there is no ${issue.keys.map((key) => `"${key}"`).join(', ')} here`
    case 'invalid_union':
      return describeUnion(issue)
    case 'custom':
    case 'invalid_key':
    case 'invalid_element':
    default:
      return 'is invalid'
  }
}

const formats: Readonly<Record<string, string>> = {
  datetime: 'must be a date and time such as 2026-01-31T12:00:00Z',
  uuid: 'must be a UUID',
  email: 'must be an e-mail address',
  url: 'must be a URL',
}

const types: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

function typeName(expected: string): string {
  return types[expected] ?? expected
}

function oneOf(values: readonly unknown[]): string {
  const words = values.map(String)
  return words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`
}

function amount(limit: 'at least' | 'at most', origin: string, bound: number | bigint): string {
  if (origin === 'string') return `have ${limit} ${bound} character${bound === 1 ? '' : 's'}`
  if (origin === 'array' || origin === 'set') return `have ${limit} ${bound} item${bound === 1 ? '' : 's'}`
  return `be ${limit} ${bound}`
}

/** The form that comes nearest says what is wrong with it, where it is one thing. */
function describeUnion(issue: Extract<Issue, { code: 'invalid_union' }>): string {
  if (issue.input === undefined) return 'is required'
  if (issue.discriminator !== undefined) {
    const { options } = issue as { options?: readonly unknown[] }
    return options === undefined ? `"${issue.discriminator}" has no such value` : `must be ${oneOf(options)}`
  }
  const nearest = [...issue.errors].toSorted((one, other) => one.length - other.length)[0] ?? []
  return nearest.length === 1 ? nameField(nearest[0]!) : 'has none of the forms that it may have'
}

function placeName(context: string): string {
  if (context === 'querystring') return 'query'
  return context === 'params' ? 'path' : context
}
