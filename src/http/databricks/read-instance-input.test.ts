import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DatabaseInstanceInput } from '../../contract/database-instances.ts'
import { readInstanceChange, readNewInstance } from './read-instance-input.ts'

const changeable = ['capacity', 'custom_tags', 'usage_policy_id', 'enable_pg_native_login', 'stopped'] as const

const bodies = fc.record(
  {
    capacity: fc.constantFrom('CU_1', 'CU_2', 'CU_4', 'CU_8'),
    custom_tags: fc.array(fc.record({ key: fc.string({ minLength: 1 }), value: fc.string() }), { maxLength: 3 }),
    usage_policy_id: fc.string(),
    enable_pg_native_login: fc.boolean(),
    stopped: fc.boolean(),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<DatabaseInstanceInput>

/** Which fields of the compatible API a change touches. */
function touched({ nativeLoginEnabled, stopped, compatibleSettings = {} }: ReturnType<typeof readInstanceChange>) {
  return changeable.filter((field) => {
    if (field === 'enable_pg_native_login') return nativeLoginEnabled !== undefined
    if (field === 'stopped') return stopped !== undefined
    const key = { capacity: 'capacity', custom_tags: 'customTags', usage_policy_id: 'usagePolicyId' }[field]
    return key in compatibleSettings
  })
}

describe('update_mask', () => {
  it('changes the fields that it names and no other, whatever the body says', () => {
    fc.assert(
      fc.property(bodies, fc.uniqueArray(fc.constantFrom(...changeable), { minLength: 1 }), (body, mask) => {
        const change = readInstanceChange('orders', mask.join(','), { name: 'orders', ...body })
        expect(touched(change)).toEqual(changeable.filter((field) => mask.includes(field)))
      }),
    )
  })

  it('is all fields as *, those that the body leaves out going back to their defaults', () => {
    const change = readInstanceChange('orders', '*', { capacity: 'CU_4' })
    expect(touched(change)).toEqual(changeable)
    expect(change).toMatchObject({ nativeLoginEnabled: false, stopped: false })
    expect(change.compatibleSettings).toEqual({ capacity: 'CU_4', customTags: undefined, usagePolicyId: undefined })
  })

  it.each([
    ['stopped', {}],
    ['*', {}],
    ['*', { name: 'orders' }],
    ['enable_pg_native_login, capacity', {}],
  ])('refuses %s with a body that was lost on the way', (mask, body) => {
    expect(() => readInstanceChange('orders', mask, body)).toThrow(/but body has no value/)
  })

  it('takes what is named and left out for false, as clients leave out what is false', () => {
    expect(readInstanceChange('orders', 'stopped', { name: 'orders' })).toEqual({ stopped: false })
  })

  it.each(['', ' ', 'name', 'uid', 'effective_stopped', 'stopped,nonsense', '*,stopped', 'custom_tags.key'])(
    'refuses %j',
    (mask) => {
      expect(() => readInstanceChange('orders', mask, { stopped: true })).toThrow(/^update_mask: /)
    },
  )

  it('refuses a body that names another instance than the path', () => {
    expect(() => readInstanceChange('orders', 'stopped', { name: 'books', stopped: true })).toThrow(/^name: /)
  })
})

describe('what Postern does not have', () => {
  it.each([
    { enable_readable_secondaries: true },
    { node_count: 2 },
    { retention_window_in_days: 7 },
    { parent_instance_ref: { name: 'orders' } },
  ])('is refused for a new instance, not left out: %j', (wish) => {
    expect(() => readNewInstance({ name: 'copy', ...wish })).toThrow(
      expect.objectContaining({ code: 'FEATURE_NOT_SUPPORTED' }),
    )
  })

  it('is fine where it is asked for as it is', () => {
    const asIs = { enable_readable_secondaries: false, node_count: 1 }
    expect(readNewInstance({ name: 'orders', ...asIs })).toEqual(readNewInstance({ name: 'orders' }))
    expect(readInstanceChange('orders', 'node_count,enable_readable_secondaries', asIs)).toEqual({})
  })
})
