import type { DirectoryCondition } from '../../../identity/provisioned-principals.ts'
import type { ScimFilter, ScimOperator, ScimValue } from './parse-filter.ts'
import { scimError } from './scim-error.ts'

export type ScimResource = 'User' | 'Group' | 'ServicePrincipal'

type Text = Extract<DirectoryCondition, { text: string }>

/** Attributes of text, and whether case counts: names of groups and client ids are exact, as they are everywhere in Postern. */
const TEXTS: Readonly<Record<ScimResource, Readonly<Record<string, Pick<Text, 'text' | 'isExact'>>>>> = {
  User: {
    id: { text: 'id', isExact: true },
    externalid: { text: 'external_id', isExact: true },
    username: { text: 'name', isExact: false },
    emails: { text: 'name', isExact: false },
    'emails.value': { text: 'name', isExact: false },
    displayname: { text: 'display_name', isExact: false },
    'name.formatted': { text: 'display_name', isExact: false },
  },
  Group: {
    id: { text: 'id', isExact: true },
    externalid: { text: 'external_id', isExact: true },
    displayname: { text: 'display_name', isExact: true },
  },
  ServicePrincipal: {
    id: { text: 'id', isExact: true },
    externalid: { text: 'external_id', isExact: true },
    applicationid: { text: 'name', isExact: true },
    username: { text: 'name', isExact: true },
    displayname: { text: 'display_name', isExact: false },
  },
}

/** What every user has alike: one e-mail address, for work. */
const CONSTANTS: Readonly<Record<string, ScimValue>> = { 'emails.type': 'work', 'emails.primary': true }

/**
 * A filter as a condition on principals.
 * @throws PosternError INVALID_ARGUMENT with `detail.scimType` invalidFilter for what principals do not have
 */
export function directoryCondition(resource: ScimResource, filter: ScimFilter): DirectoryCondition {
  if ('and' in filter) return { and: filter.and.map((part) => directoryCondition(resource, part)) }
  if ('or' in filter) return { or: filter.or.map((part) => directoryCondition(resource, part)) }
  if ('not' in filter) return { not: directoryCondition(resource, filter.not) }
  const { attribute, operator, value } = filter
  if (operator === 'ne') return { not: directoryCondition(resource, { attribute, operator: 'eq', value }) }
  const text = Object.hasOwn(TEXTS[resource], attribute) ? TEXTS[resource][attribute] : undefined
  if (text !== undefined) return textCondition(text, attribute, operator, value)
  if (attribute === 'active' && operator === 'eq') return { isActive: booleanOf(attribute, value) }
  if (attribute === 'active' && operator === 'pr') return { always: true }
  if (attribute === 'meta.created') return createdCondition(operator, value)
  const isOfMembers = resource === 'Group' && /^members(\.value)?$/.test(attribute)
  const isOfGroups = resource !== 'Group' && /^groups(\.value)?$/.test(attribute)
  if ((isOfMembers || isOfGroups) && operator === 'eq') {
    const id = String(value)
    if (!/^\d{1,18}$/.test(id)) return { always: false }
    return isOfMembers ? { withMember: id } : { memberOf: id }
  }
  const constant = resource === 'User' && Object.hasOwn(CONSTANTS, attribute) ? CONSTANTS[attribute] : undefined
  if (constant !== undefined && operator === 'eq') return { always: constant === value }
  throw scimError(
    'invalidFilter',
    `The filter compares ${attribute} with ${operator}, which is not offered for a ${resource}`,
  )
}

const COMPARISONS: Partial<Record<ScimOperator, Text['comparison']>> = {
  eq: 'is',
  co: 'contains',
  sw: 'starts',
  ew: 'ends',
  pr: 'present',
}

function textCondition(
  text: Pick<Text, 'text' | 'isExact'>,
  attribute: string,
  operator: ScimOperator,
  value: ScimValue,
): DirectoryCondition {
  const comparison = COMPARISONS[operator]
  if (comparison === undefined) {
    throw scimError('invalidFilter', `The filter compares ${attribute} with ${operator}, which has no order here`)
  }
  if (comparison === 'is' && value === null) return { not: { ...text, comparison: 'present', value: '' } }
  if (comparison !== 'present' && typeof value !== 'string') {
    throw scimError('invalidFilter', `The filter compares ${attribute} with something that is no text`)
  }
  return { ...text, comparison, value: typeof value === 'string' ? value : '' }
}

const ORDERS = { eq: '=', gt: '>', ge: '>=', lt: '<', le: '<=' } as const

function createdCondition(operator: ScimOperator, value: ScimValue): DirectoryCondition {
  const comparison = (ORDERS as Partial<Record<ScimOperator, '=' | '<' | '<=' | '>' | '>='>>)[operator]
  const createdAt = new Date(typeof value === 'string' ? value : Number.NaN)
  if (comparison === undefined || Number.isNaN(createdAt.getTime())) {
    throw scimError('invalidFilter', 'The filter compares meta.created with something that is no time')
  }
  return { createdAt, comparison }
}

/** Some identity providers write booleans as text, with a capital. */
export function booleanOf(attribute: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
  throw scimError('invalidValue', `${attribute} must be true or false`)
}
