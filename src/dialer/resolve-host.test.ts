import { describe, expect, it } from 'vitest'
import { AddressRules } from './address-rules.ts'
import { resolveHost } from './resolve-host.ts'

describe('resolveHost', () => {
  const rules = AddressRules.create()

  it.each([
    '2852039166',
    '0xA9FEA9FE',
    '0251.0376.0251.0376',
    '169.254.43518',
    '169.16689662',
    '0xa9.0xfe.0xa9.0xfe',
    '0',
    '0x0',
    '169.254.169.254.',
    '[::ffff:a9fe:a9fe]',
  ])('leads to no forbidden address by its other spelling %s', async (host) => {
    await expect(resolveHost(host, rules, 2_000)).rejects.toMatchObject({
      code: expect.stringMatching(/^UPSTREAM_(ADDRESS_REFUSED|NAME_UNKNOWN)$/),
    })
  })

  it('answers addresses, so that what was checked is what is dialed', async () => {
    for (const address of await resolveHost('localhost', rules, 2_000)) expect(address).toMatch(/^[\d.]+$|:/)
  })
})
