import { PosternError } from '../../base/errors.ts'
import type { DatabaseInstanceInput } from '../../contract/database-instances.ts'
import type { DatabaseInstanceChange } from '../../instances/change-database-instance.ts'

/** Fields that a change can name. */
const CHANGEABLE = ['capacity', 'custom_tags', 'usage_policy_id', 'enable_pg_native_login', 'stopped'] as const
/** Fields that have one possible value here: to name them with it changes nothing. */
const FIXED = ['enable_readable_secondaries', 'node_count', 'retention_window_in_days'] as const
type MaskedField = (typeof CHANGEABLE)[number] | (typeof FIXED)[number]
const MASKED: readonly MaskedField[] = [...CHANGEABLE, ...FIXED]

/**
 * What a new instance is asked to be.
 * @throws PosternError INVALID_ARGUMENT | FEATURE_NOT_SUPPORTED for what Postern does not have: nothing is silently left out
 */
export function readNewInstance(body: DatabaseInstanceInput): DatabaseInstanceChange {
  refuseUnsupported(body)
  if (body.parent_instance_ref) throw unsupported('parent_instance_ref', 'has no branches or copies of instances')
  if (body.stopped) throw new PosternError('INVALID_ARGUMENT', 'stopped: a new instance starts; stop it afterwards')
  return changeOf(body, CHANGEABLE)
}

/**
 * What an update changes: the fields that its mask names, `*` being all of them. A named field that the body leaves out goes back
 * to its default, as clients leave out what is false or empty. A body without any value is refused: some clients lose the body
 * of an update on the way, and nothing may be reset by that.
 *
 * @throws PosternError INVALID_ARGUMENT | FEATURE_NOT_SUPPORTED
 */
export function readInstanceChange(name: string, mask: string, body: DatabaseInstanceInput): DatabaseInstanceChange {
  if (body.name !== undefined && body.name !== name) {
    throw new PosternError('INVALID_ARGUMENT', `name: the path names '${name}' and the body '${body.name}'`)
  }
  const fields = readMask(mask)
  const given = Object.entries(body).filter(([, value]) => value !== undefined)
  const says =
    mask.trim() === '*' ? given.some(([field]) => (MASKED as readonly string[]).includes(field)) : given.length > 0
  if (!says) {
    throw new PosternError('INVALID_ARGUMENT', `update_mask names ${fields.join(', ')} but body has no value`, {
      hint: 'Send the instance with its new values as the body of the request.',
    })
  }
  refuseUnsupported(body, fields)
  return changeOf(body, fields)
}

function readMask(mask: string): readonly MaskedField[] {
  if (mask.trim() === '') throw new PosternError('INVALID_ARGUMENT', 'update_mask: is required')
  if (mask.trim() === '*') return MASKED
  const names = [...new Set(mask.split(',').map((path) => path.trim()))]
  const known = MASKED.filter((field) => names.includes(field))
  if (known.length === names.length) return known
  const unknown = names.filter((path) => !(MASKED as readonly string[]).includes(path))
  throw new PosternError('INVALID_ARGUMENT', `update_mask: ${unknown.join(', ')} cannot be changed`, {
    hint: `Fields are ${CHANGEABLE.join(', ')}.`,
  })
}

function changeOf(body: DatabaseInstanceInput, fields: readonly MaskedField[]): DatabaseInstanceChange {
  const has = (field: MaskedField) => fields.includes(field)
  const settings = {
    ...(has('capacity') && { capacity: body.capacity ?? undefined }),
    ...(has('usage_policy_id') && { usagePolicyId: body.usage_policy_id || undefined }),
    ...(has('custom_tags') && { customTags: body.custom_tags?.length ? body.custom_tags : undefined }),
  }
  return {
    ...(Object.keys(settings).length > 0 && { compatibleSettings: settings }),
    ...(has('enable_pg_native_login') && { nativeLoginEnabled: body.enable_pg_native_login ?? false }),
    ...(has('stopped') && { stopped: body.stopped ?? false }),
  }
}

function refuseUnsupported(body: DatabaseInstanceInput, fields: readonly MaskedField[] = FIXED): void {
  if (fields.includes('enable_readable_secondaries') && body.enable_readable_secondaries) {
    throw unsupported('enable_readable_secondaries', 'makes no secondaries of managed instances')
  }
  if (fields.includes('node_count') && (body.node_count ?? 1) > 1) {
    throw unsupported('node_count', 'runs a managed instance on one node')
  }
  const isNegative = (body.node_count ?? 1) < 1
  if (fields.includes('node_count') && isNegative) throw new PosternError('INVALID_ARGUMENT', 'node_count: must be 1')
  if (fields.includes('retention_window_in_days') && body.retention_window_in_days) {
    throw unsupported('retention_window_in_days', 'keeps no history to restore a point in time from')
  }
}

function unsupported(field: string, reason: string): PosternError {
  return new PosternError('FEATURE_NOT_SUPPORTED', `${field}: Postern ${reason}`, { hint: `Leave ${field} out.` })
}
