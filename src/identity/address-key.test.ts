import { expect, it } from 'vitest'
import { addressKey } from './address-key.ts'

it('takes an IPv4 address as it is, also mapped into IPv6', () => {
  expect(addressKey('192.0.2.7')).toBe('192.0.2.7')
  expect(addressKey('::ffff:192.0.2.7')).toBe('192.0.2.7')
})

it('takes all addresses of a /64 network of IPv6 as one, however they are written', () => {
  const key = addressKey('2001:db8:0:1::1')
  expect(addressKey('2001:0DB8:0000:0001:ffff:ffff:ffff:ffff')).toBe(key)
  expect(addressKey('2001:db8:0:1:2::')).toBe(key)
  expect(addressKey('2001:db8:0:2::1')).not.toBe(key)
  expect(addressKey('::1')).toBe('0:0:0:0::/64')
  expect(addressKey('fe80::1%eth0')).toBe('fe80:0:0:0::/64')
})
