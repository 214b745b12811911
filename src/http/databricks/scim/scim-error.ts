import { PosternError } from '../../../base/errors.ts'

/** Words of RFC 7644 section 3.12 for what is wrong with a request. */
export type ScimType = 'invalidFilter' | 'invalidPath' | 'invalidSyntax' | 'invalidValue' | 'mutability' | 'noTarget'

/** A SCIM request that cannot be honoured. */
export function scimError(scimType: ScimType, publicMessage: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', publicMessage, { detail: { scimType } })
}
