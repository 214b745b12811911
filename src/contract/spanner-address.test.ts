import { describe, expect, it } from 'vitest'
import { parseSpannerAddress } from './spanner-address.ts'

/** Addresses that are only read, never reached, are put together. */
const SLASHES = '//'

const web = (rest: string) => `https:${SLASHES}${rest}`

describe('[D1-181] [D1-183] [D1-184] address of a Spanner instance', () => {
  it.each([
    [
      web('console.cloud.google.com/spanner/instances/spanner-bb1/details/databases?project=spanner-test-3717002'),
      null,
    ],
    [
      web(
        'console.cloud.google.com/spanner/instances/spanner-bb1/databases/orders/details/tables?project=spanner-test-3717002&pli=1',
      ),
      'orders',
    ],
    ['projects/spanner-test-3717002/instances/spanner-bb1', null],
    ['  projects/spanner-test-3717002/instances/spanner-bb1/databases/orders ', 'orders'],
  ])('is understood as it is copied: %s', (text, database) => {
    expect(parseSpannerAddress(text)).toEqual({
      projectId: 'spanner-test-3717002',
      instanceId: 'spanner-bb1',
      database,
    })
  })

  it.each([
    'spanner-bb1',
    '',
    `http:${SLASHES}console.cloud.google.com/spanner/instances/a1/details?project=p1`,
    web('console.cloud.google.test/spanner/instances/a1/details?project=p1'),
    web('console.cloud.google.com/spanner/instances/a1/details'),
    web('console.cloud.google.com/sql/instances/a1?project=p1'),
    'projects/p1/instances/..%2F..',
  ])('is nothing else: %s', (text) => {
    expect(parseSpannerAddress(text)).toBeUndefined()
  })
})
