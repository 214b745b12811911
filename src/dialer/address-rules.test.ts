import { describe, expect, it } from 'vitest'
import { AddressRules } from './address-rules.ts'

const rules = AddressRules.create()

describe('addresses that are never dialed', () => {
  it.each([
    '169.254.169.254',
    '169.254.0.1',
    '0.0.0.0',
    '0.0.0.1',
    '::',
    '0:0:0:0:0:0:0:0',
    'fe80::1',
    'FE80::1%eth0',
    'febf::1',
    'fd00:ec2::254',
    'fd00:0ec2:0:0:0:0:0:0254',
    'fd00:ec2::23',
    'fd20:ce::254',
    '100.100.100.200',
    '168.63.129.16',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '::169.254.169.254',
    '::ffff:0:169.254.169.254',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '::ffff:0.0.0.0',
    'not-an-address',
    '',
    '0x7f000001',
  ])('refuses %s', (address) => {
    expect(rules.refuses(address)).toBe(true)
  })

  it.each([
    '127.0.0.1',
    '::1',
    '10.0.0.7',
    '192.168.1.1',
    '1.1.1.1',
    '::ffff:10.0.0.7',
    '2001:db8::1',
    'fd12:3456::1',
    '64:ff9b::10.0.0.7',
    '169.253.255.255',
    '169.255.0.0',
  ])('allows %s', (address) => {
    expect(rules.refuses(address)).toBe(false)
  })

  it('adds the ranges of the operator, in every notation of the same address', () => {
    const own = AddressRules.create(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'])
    for (const address of ['10.255.0.1', '::ffff:10.1.2.3', '64:ff9b::a01:203', '2001:db8:1::5', '192.0.2.7'])
      expect(own.refuses(address)).toBe(true)
    for (const address of ['11.0.0.1', '2001:db9::1', '192.0.2.8']) expect(own.refuses(address)).toBe(false)
  })

  it('denies everything with a range of length 0', () => {
    expect(AddressRules.create(['0.0.0.0/0']).refuses('8.8.8.8')).toBe(true)
  })

  it.each(['10.0.0.0/33', '2001:db8::/129', 'example.test', '10.0.0.0/', '10.0.0.0/-1', '/8', ''])(
    'reports the range %j as a mistake of the configuration',
    (range) => {
      expect(() => AddressRules.create([range])).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    },
  )
})
