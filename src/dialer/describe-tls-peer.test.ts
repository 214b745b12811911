import { X509Certificate } from 'node:crypto'
import { expect, it } from 'vitest'
import { describeWith } from '../../test/support/requirements.ts'
import { createTestAuthority } from '../../test/support/test-certificates.ts'
import { describeTlsPeer, tlsWarnings } from './describe-tls-peer.ts'

describeWith(['openssl'], 'the certificate of a server in a report', () => {
  const authority = createTestAuthority('Report authority')
  const certificate = new X509Certificate(authority.issue(['db.example.test', '127.0.0.1'], 40).certificateChainPem)
  const client = authority.issue(['client.test'], 3).certificateChainPem
  authority.remove()
  const peer = { protocol: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', certificate: certificate.raw }
  const settings = { serverName: 'db.example.test', caPem: undefined, verify: 'full' } as const
  const end = certificate.validToDate.getTime()
  const daysBefore = (days: number): Date => new Date(end - days * 86_400_000)

  it('tells protocol, names, issuer and end', () => {
    expect(describeTlsPeer(peer, settings, daysBefore(39.5))).toEqual({
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_128_GCM_SHA256',
      subject: 'CN=db.example.test',
      issuer: 'CN=Report authority',
      names: ['db.example.test', '127.0.0.1'],
      notAfter: certificate.validToDate.toISOString(),
      daysLeft: 39,
      verified: 'full',
      clientNotAfter: null,
      clientDaysLeft: null,
    })
  })

  it.each([
    [31, []],
    [30, [/server ends in 30 days/]],
    [1, [/server ends in 1 day,/]],
    [-0.5, [/server ended on/]],
  ])('warns within 30 days of its end: %s days before', (days, expected) => {
    const warnings = tlsWarnings(describeTlsPeer(peer, settings, daysBefore(days)))
    expect(warnings).toEqual(expected.map((pattern) => expect.stringMatching(pattern)))
  })

  it('warns of the end of the client certificate as well', () => {
    const detail = describeTlsPeer(peer, { ...settings, certificatePem: client }, daysBefore(38.5))
    expect(tlsWarnings(detail)).toEqual([
      expect.stringMatching(/client certificate of this data source ends in \d day/),
    ])
  })

  it('does without a certificate', () => {
    const detail = describeTlsPeer({ ...peer, certificate: undefined }, { ...settings, verify: 'none' }, daysBefore(1))
    expect(detail).toMatchObject({ subject: null, names: [], notAfter: null, verified: 'none' })
    expect(tlsWarnings(detail)).toEqual([])
  })
})
