import { z } from 'zod'
import { booleanOf } from './directory-condition.ts'
import type { PatchOperation } from './patch-operations.ts'
import { scimError } from './scim-error.ts'

const Name = z.looseObject({
  formatted: z.string().nullish(),
  givenName: z.string().nullish(),
  familyName: z.string().nullish(),
})

/** A user as identity providers send one: what Postern keeps is read, the rest of the schema is passed over. */
export const UserBody = z.looseObject({
  userName: z.string(),
  displayName: z.string().nullish(),
  externalId: z.string().nullish(),
  active: z.unknown().optional(),
  name: Name.nullish(),
})

export type UserBody = z.infer<typeof UserBody>

/** A service principal; its `applicationId` is Postern's to choose. */
export const ServicePrincipalBody = z.looseObject({
  displayName: z.string(),
  externalId: z.string().nullish(),
  active: z.unknown().optional(),
})

/** What a request changes of a user; undefined: nothing. */
export interface UserChange {
  email?: string
  displayName?: string
  externalId?: string | null
  active?: boolean
}

/** Core attributes and extensions that directories send and Postern has no use for (RFC 7643 sections 4.1 and 4.3). */
const PASSED_OVER = new Set(
  `id meta schemas emails phonenumbers ims photos addresses groups entitlements roles x509certificates nickname profileurl title
  usertype preferredlanguage locale timezone employeenumber costcenter organization division department manager name.middlename
  name.honorificprefix name.honorificsuffix applicationid`.split(/\s+/),
)

/** The display name that a user without one gets from its parts. */
export function displayNameOf({ displayName, name }: Pick<UserBody, 'displayName' | 'name'>): string | undefined {
  const parts = [name?.givenName, name?.familyName].filter(Boolean).join(' ')
  return displayName || name?.formatted || parts || undefined
}

/** `active` of a body; users are active unless it says otherwise. */
export function activeOf(active: unknown): boolean {
  return active === undefined || active === null ? true : booleanOf('active', active)
}

/**
 * What the operations of a PATCH change of a user or service principal.
 * @param displayName the one it has: a changed part of the name leaves the other part
 * @throws PosternError INVALID_ARGUMENT with `detail.scimType`
 */
export function userChangeOf(operations: readonly PatchOperation[], displayName: string): UserChange {
  const change: UserChange = {}
  const nameParts: { given?: string; family?: string } = {}
  for (const { op, path, value } of operations) {
    const attribute = path.sub === undefined ? path.attribute : `${path.attribute}.${path.sub}`
    const isRemoved = op === 'remove' || value === null
    switch (attribute) {
      case 'active':
        change.active = isRemoved ? false : booleanOf('active', value)
        break
      case 'username':
        if (isRemoved) throw scimError('mutability', 'userName cannot be removed')
        change.email = textOf('userName', value)
        break
      case 'externalid':
        change.externalId = isRemoved ? null : textOf('externalId', value)
        break
      case 'displayname':
      case 'name.formatted':
        if (!isRemoved) change.displayName = textOf(attribute, value)
        break
      case 'name.givenname':
        nameParts.given = isRemoved ? '' : textOf(attribute, value)
        break
      case 'name.familyname':
        nameParts.family = isRemoved ? '' : textOf(attribute, value)
        break
      case 'name':
        Object.assign(nameParts, partsOf(value))
        break
      default:
        if (!isPassedOver(path.attribute)) throw scimError('invalidPath', `A user has no attribute '${attribute}'`)
    }
  }
  // Some send the display name and its parts at once: then the display name says how they go together.
  if (change.displayName === undefined && Object.keys(nameParts).length > 0) {
    const { givenName, familyName } = splitName(displayName)
    const joined = [nameParts.given ?? givenName, nameParts.family ?? familyName].filter(Boolean).join(' ')
    if (joined !== '') change.displayName = joined
  }
  return change
}

/** First word and rest: Postern keeps one display name. */
export function splitName(displayName: string): { givenName: string; familyName: string } {
  const [givenName = '', ...rest] = displayName.split(' ')
  return { givenName, familyName: rest.join(' ') }
}

function isPassedOver(attribute: string): boolean {
  return PASSED_OVER.has(attribute) || PASSED_OVER.has(attribute.split('.')[0] ?? '') || attribute.startsWith('urn:')
}

function partsOf(value: unknown): { given?: string; family?: string } {
  const name = Name.safeParse(value).data
  if (name === undefined) throw scimError('invalidValue', 'name must be an object')
  return {
    ...(typeof name.givenName === 'string' && { given: name.givenName }),
    ...(typeof name.familyName === 'string' && { family: name.familyName }),
  }
}

function textOf(attribute: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw scimError('invalidValue', `${attribute} must be a text that is not empty`)
}
