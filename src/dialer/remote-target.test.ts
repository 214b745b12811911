import { describe, expect, it } from 'vitest'
import { testDialer } from '../../test/support/test-dialer.ts'
import { testRoute } from '../../test/support/test-route.ts'
import { AddressRules } from './address-rules.ts'
import { dialPlain } from './dial-plain.ts'
import { checkRemoteTarget } from './remote-target.ts'

const rules = AddressRules.create(['10.9.0.0/16'])

describe('what an SSH server is asked to dial', () => {
  it.each([
    '169.254.169.254',
    '169.254.169.254.',
    '2852039166',
    '0xA9FEA9FE',
    '0251.0376.0251.0376',
    '169.254.43518',
    '[fe80::1]',
    'fd00:ec2::254',
    '::ffff:a9fe:a9fe',
    '0',
    '10.9.1.2',
    '168.63.129.16',
  ])('is never %s, in no spelling', async (host) => {
    expect(() => checkRemoteTarget(host, rules)).toThrow(expect.objectContaining({ code: 'UPSTREAM_ADDRESS_REFUSED' }))
    let asked = 0
    const tunnels = { connect: () => Promise.reject(new Error(`asked ${(asked += 1)} times`)) }
    const hop = { host: 'bastion.test', port: 22, username: 'a', auth: 'password', hostKey: null } as const
    const dialer = testDialer({ addressRules: rules, tunnels })
    const attempt = dialPlain(testRoute(5432, { host, ssh: [hop] }), { ...dialer, secrets: {}, timeoutMs: 1_000 })
    await expect(attempt).rejects.toMatchObject({ code: 'UPSTREAM_ADDRESS_REFUSED' })
    expect(asked).toBe(0)
  })

  it.each(['db.example.test', '10.0.0.7', '127.0.0.1', '::1', 'localhost', '169.db.test', '1.2.3.4.5', '256.1.1.1'])(
    'may be %s',
    (host) => {
      expect(() => checkRemoteTarget(host, rules)).not.toThrow()
    },
  )
})
