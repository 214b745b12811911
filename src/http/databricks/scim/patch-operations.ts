import { z } from 'zod'
import { parsePath, type ScimPath } from './parse-filter.ts'
import { scimError } from './scim-error.ts'

const MAX_OPERATIONS = 1000

/** Body of a PATCH, as identity providers send it: operations in any letter case, with or without a path. */
export const PatchBody = z.looseObject({
  Operations: z
    .array(z.looseObject({ op: z.string(), path: z.string().nullish(), value: z.unknown().optional() }))
    .min(1),
})

export type PatchBody = z.infer<typeof PatchBody>

/** One change of one attribute. */
export interface PatchOperation {
  readonly op: 'add' | 'replace' | 'remove'
  readonly path: ScimPath
  readonly value: unknown
}

/**
 * The operations of a PATCH, each with a path: one without is as many as its value has attributes.
 * @throws PosternError INVALID_ARGUMENT with `detail.scimType`
 * @see RFC 7644 section 3.5.2
 */
export function patchOperations(body: PatchBody): PatchOperation[] {
  if (body.Operations.length > MAX_OPERATIONS) {
    throw scimError('invalidSyntax', `A PATCH has at most ${MAX_OPERATIONS} operations`)
  }
  return body.Operations.flatMap(({ op, path, value }) => {
    const name = op.toLowerCase()
    if (name !== 'add' && name !== 'replace' && name !== 'remove') {
      throw scimError('invalidSyntax', `op must be add, replace or remove, not '${op.slice(0, 40)}'`)
    }
    if (typeof path === 'string' && path !== '') return [{ op: name, path: parsePath(path), value }]
    if (name === 'remove') throw scimError('noTarget', 'remove needs a path')
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw scimError('invalidValue', `${name} without a path needs an object of attributes as its value`)
    }
    return Object.entries(value)
      .filter(([attribute]) => attribute !== 'schemas')
      .flatMap(([attribute, part]) => attributeOperations(name, attribute, part))
  })
}

/** An extension's attributes come under its URN, those of `name` under `name`. */
function attributeOperations(op: 'add' | 'replace', attribute: string, value: unknown): PatchOperation[] {
  if (/^urn:.*:2\.0:\w+$/i.test(attribute)) {
    const inner = typeof value === 'object' && value !== null ? Object.entries(value) : []
    return inner.map(([name, part]) => ({ op, path: parsePath(`${attribute}:${name}`), value: part }))
  }
  return [{ op, path: parsePath(attribute), value }]
}
