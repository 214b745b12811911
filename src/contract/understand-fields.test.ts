import { describe, expect, it } from 'vitest'
import { understandFields } from './understand-fields.ts'

/** Addresses that are only read, never reached, are put together. */
const SLASHES = '//'
const address = `https:${SLASHES}console.cloud.google.com/spanner/instances/spanner-bb1/details/databases?project=spanner-test-3717002`
const ids = { projectId: 'spanner-test-3717002', instanceId: 'spanner-bb1' }

describe('fields of a data source', () => {
  it.each([
    [{ projectId: address }],
    [{ instanceId: address }],
    [{ projectId: address, instanceId: address }],
    [{ projectId: 'spanner-test-3717002', instanceId: address }],
    [{ projectId: address, instanceId: 'spanner-bb1' }],
  ])('of Spanner are read from the address of the console: %o', (fields) => {
    expect(understandFields('spanner', fields)).toEqual(ids)
  })

  it.each([
    [{ projectId: 'another-project', instanceId: address }],
    [{ projectId: address, instanceId: 'projects/p1/instances/i1' }],
    [ids],
    [{}],
  ])('of Spanner stay as they are: %o', (fields) => {
    expect(understandFields('spanner', fields)).toEqual(fields)
  })

  it('of other engines stay as they are', () => {
    expect(understandFields('snowflake', { warehouse: address })).toEqual({ warehouse: address })
  })
})
