import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { DataSourcePatch } from '../contract/data-sources.ts'
import { publicReference, SecretReference } from '../contract/secret-references.ts'
import type { DataSourceSecrets, PublicReferences, SecretField } from '../dialer/data-source-secrets.ts'
import { readMustache } from '../secrets/endpoint.ts'

/** The secrets that came with a change. */
export interface EnteredSecrets {
  /** As they are stored: of one that lives elsewhere its reference, in JSON. */
  readonly secrets: DataSourceSecrets
  /** Where those live that live elsewhere. */
  readonly references: PublicReferences
}

/**
 * Puts together what a change says of secrets: itself, by `externalSecrets`, or in a plain field as the `{{https://…}}` of an
 * endpoint.
 *
 * @param literals what stands in the plain fields
 * @throws PosternError INVALID_ARGUMENT naming the field, also for a secret that is given both ways
 */
export function readEnteredSecrets(patch: DataSourcePatch, literals: DataSourceSecrets): EnteredSecrets {
  const given = Object.entries(patch.externalSecrets ?? {}) as [SecretField, SecretReference | null][]
  const references = given.flatMap(([field, reference]) => {
    if (reference === null) return []
    const isGivenTwice = field === 'username' ? Boolean(patch.username) : literals[field] !== undefined
    if (isGivenTwice) throw invalid(field, `${field} and externalSecrets.${field} cannot both be given`)
    return [[field, reference] as const]
  })
  const endpoints = (Object.entries(literals) as [SecretField, Secret][]).flatMap(([field, text]) => {
    const reference = readEndpoint(field, text.reveal())
    return reference === undefined ? [] : [[field, reference] as const]
  })
  const all = [...references, ...endpoints]
  return {
    secrets: {
      ...literals,
      ...Object.fromEntries(all.map(([field, reference]) => [field, new Secret(JSON.stringify(reference))])),
    },
    references: Object.fromEntries(all.map(([field, reference]) => [field, publicReference(reference)])),
  }
}

function readEndpoint(field: SecretField, text: string): SecretReference | undefined {
  try {
    const reference = readMustache(text)
    if (reference === undefined || SecretReference.safeParse(reference).success) return reference
  } catch (thrown) {
    if (thrown instanceof PosternError) throw invalid(field, `${field}: ${thrown.message}`, thrown.hint)
    throw thrown
  }
  throw invalid(field, `${field}: what stands between {{ and }} must be an http or https URL`)
}

function invalid(field: SecretField, message: string, hint?: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', message, { detail: { field }, ...(hint !== undefined && { hint }) })
}
