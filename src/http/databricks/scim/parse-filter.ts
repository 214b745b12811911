import { type ScimType, scimError } from './scim-error.ts'

export type ScimValue = string | number | boolean | null

/** What a filter says; attributes are lower-case paths without the URN of their schema. */
export type ScimFilter =
  | { readonly and: readonly ScimFilter[] }
  | { readonly or: readonly ScimFilter[] }
  | { readonly not: ScimFilter }
  | { readonly attribute: string; readonly operator: ScimOperator; readonly value: ScimValue }

export type ScimOperator = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le' | 'pr'

/** The attribute that a PATCH changes: `emails[type eq "work"].value` has a filter and a sub-attribute. */
export interface ScimPath {
  readonly attribute: string
  readonly filter?: ScimFilter
  readonly sub?: string
}

const MAX_CHARS = 8192
/** Of parentheses and `not`. */
const MAX_DEPTH = 20
const MAX_COMPARISONS = 200

const OPERATORS: ReadonlySet<string> = new Set(['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le', 'pr'])
const TOKEN = /\s*(?:([()[\]])|("(?:[^"\\]|\\.)*")|(\.?[\w$:.+-]+))/y

/**
 * Parses a filter.
 * @throws PosternError INVALID_ARGUMENT with `detail.scimType` invalidFilter
 * @see RFC 7644 section 3.4.2.2
 */
export function parseFilter(text: string): ScimFilter {
  const reader = new FilterReader(text, 'invalidFilter')
  const filter = reader.readOr('')
  reader.requireEnd()
  return filter
}

/**
 * Parses the path of a PATCH operation.
 * @throws PosternError INVALID_ARGUMENT with `detail.scimType` invalidPath
 * @see RFC 7644 section 3.5.2
 */
export function parsePath(text: string): ScimPath {
  const reader = new FilterReader(text, 'invalidPath')
  const path = reader.readPath()
  reader.requireEnd()
  return path
}

class FilterReader {
  readonly #tokens: readonly string[]
  readonly #scimType: ScimType
  #at = 0
  #depth = 0
  #comparisons = 0

  constructor(text: string, scimType: ScimType) {
    this.#scimType = scimType
    if (text.length > MAX_CHARS) throw this.#error(`is longer than ${MAX_CHARS} characters`)
    this.#tokens = this.#split(text.trim())
  }

  /** `or` binds weaker than `and`. */
  readOr(prefix: string): ScimFilter {
    const parts = [this.#readAnd(prefix)]
    while (this.#takeWord('or')) parts.push(this.#readAnd(prefix))
    return parts.length === 1 ? parts[0]! : { or: parts }
  }

  readPath(): ScimPath {
    const attribute = attributeName(this.#takeName())
    if (!this.#take('[')) return { attribute }
    const filter = this.readOr('')
    this.#require(']')
    const next = this.#tokens[this.#at]
    if (next === undefined) return { attribute, filter }
    this.#at++
    if (!/^\.\w+$/.test(next)) throw this.#error(`has '${next}' where a sub-attribute belongs`)
    return { attribute, filter, sub: next.slice(1).toLowerCase() }
  }

  requireEnd(): void {
    const next = this.#tokens[this.#at]
    if (next !== undefined) throw this.#error(`goes on with '${next}' where it should end`)
  }

  #readAnd(prefix: string): ScimFilter {
    const parts = [this.#readOne(prefix)]
    while (this.#takeWord('and')) parts.push(this.#readOne(prefix))
    return parts.length === 1 ? parts[0]! : { and: parts }
  }

  #readOne(prefix: string): ScimFilter {
    if (++this.#depth > MAX_DEPTH) throw this.#error(`is nested deeper than ${MAX_DEPTH}`)
    try {
      if (this.#takeWord('not')) {
        this.#require('(')
        return { not: this.#readRest(prefix) }
      }
      if (this.#take('(')) return this.#readRest(prefix)
      return this.#readComparison(prefix)
    } finally {
      this.#depth--
    }
  }

  #readRest(prefix: string): ScimFilter {
    const inner = this.readOr(prefix)
    this.#require(')')
    return inner
  }

  #readComparison(prefix: string): ScimFilter {
    if (++this.#comparisons > MAX_COMPARISONS) throw this.#error(`has more than ${MAX_COMPARISONS} comparisons`)
    const attribute = prefix + attributeName(this.#takeName())
    if (this.#take('[')) {
      if (prefix !== '') throw this.#error('has brackets in brackets')
      const inner = this.readOr(`${attribute}.`)
      this.#require(']')
      return inner
    }
    const operator = this.#tokens[this.#at++]?.toLowerCase()
    if (operator === undefined || !OPERATORS.has(operator)) {
      throw this.#error(`has no operator after '${attribute}'`)
    }
    if (operator === 'pr') return { attribute, operator, value: null }
    return { attribute, operator: operator as ScimOperator, value: this.#takeValue() }
  }

  #takeValue(): ScimValue {
    const text = this.#tokens[this.#at++]
    if (text === undefined) throw this.#error('ends where a value belongs')
    if (!text.startsWith('"')) {
      const lower = text.toLowerCase()
      if (lower === 'true' || lower === 'false') return lower === 'true'
      if (lower === 'null') return null
      if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
      throw this.#error(`has '${text}' where a value belongs; text goes in double quotes`)
    }
    try {
      return JSON.parse(text) as string
    } catch {
      throw this.#error(`has a text with an escape that JSON does not know`)
    }
  }

  #takeName(): string {
    const name = this.#tokens[this.#at++]
    if (name === undefined || !/^[A-Za-z$]/.test(name)) throw this.#error('lacks the name of an attribute')
    return name
  }

  #takeWord(word: string): boolean {
    if (this.#tokens[this.#at]?.toLowerCase() !== word) return false
    this.#at++
    return true
  }

  #take(sign: string): boolean {
    if (this.#tokens[this.#at] !== sign) return false
    this.#at++
    return true
  }

  #require(sign: string): void {
    if (!this.#take(sign)) throw this.#error(`lacks '${sign}'`)
  }

  #split(text: string): string[] {
    const tokens: string[] = []
    TOKEN.lastIndex = 0
    while (TOKEN.lastIndex < text.length) {
      const at = TOKEN.lastIndex
      const match = TOKEN.exec(text)
      if (match === null) throw this.#error(`cannot be read from '${text.slice(at, at + 20)}' on`)
      tokens.push(match[1] ?? match[2] ?? match[3] ?? '')
    }
    return tokens
  }

  #error(what: string) {
    const subject = this.#scimType === 'invalidFilter' ? 'The filter' : 'The path'
    return scimError(this.#scimType, `${subject} ${what}`)
  }
}

/** Attribute names are the same in any case, with or without the URN of their schema. */
function attributeName(name: string): string {
  return name.toLowerCase().replace(/^urn:ietf:params:scim:schemas:(core|extension:\w+):2\.0:\w+:/, '')
}
