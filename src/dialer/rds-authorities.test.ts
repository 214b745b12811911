import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { rdsAuthorities } from './rds-authorities.ts'

describe('the authorities of RDS', () => {
  it.each([
    ['orders.abc123.eu-central-1.rds.amazonaws.com', true],
    ['ORDERS.cluster-ro-abc.us-east-1.RDS.amazonaws.com.', true],
    ['x.proxy-abc.cn-north-1.rds.amazonaws.com.cn', true],
    ['db.corp.test', false],
    ['orders.eu-central-1.rds.amazonaws.com.evil.test', false],
    ['evilrds.amazonaws.com', false],
  ])('are trusted for %s: %s', (host, isRds) => {
    expect(rdsAuthorities(host) !== undefined).toBe(isRds)
  })

  it('can be read, and one of them is good in ten years', () => {
    const blocks = rdsAuthorities('x.eu-central-1.rds.amazonaws.com')?.match(
      /-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g,
    )
    const ends = (blocks ?? []).map((block) => new X509Certificate(block).validToDate.getTime())
    expect(ends.length).toBeGreaterThan(100)
    expect(Math.max(...ends)).toBeGreaterThan(Date.now() + 10 * 365 * 86_400_000)
  })
})
