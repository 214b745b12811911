import { describe, expect, it } from 'vitest'
import { testRoute } from '../../test/support/test-route.ts'
import { Secret } from '../base/secret.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { checkCapabilities } from './check-capabilities.ts'

const text = new Secret('text')
const hop = { host: 'bastion.test', port: 22, username: 'jump', auth: 'password', hostKey: null } as const

function verdict(change: Partial<DataSourceRoute>, secrets: DataSourceSecrets = {}): string {
  const base = { host: 'shop-prod:europe-west3:orders', loginMethod: 'gcp_iam', tlsMode: 'verify-full' } as const
  try {
    checkCapabilities(testRoute(5432, { ...base, ...change }), secrets)
    return 'fine'
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT' })
    return (thrown as { detail: { field: string } }).detail.field
  }
}

describe('a login to Cloud SQL', () => {
  it('[D1-066] is possible with PostgreSQL and MySQL, whose host is the connection name', () => {
    expect(verdict({})).toBe('fine')
    expect(verdict({ engine: 'mysql', port: 3306 })).toBe('fine')
    expect(verdict({ engine: 'mariadb', port: 3306 })).toBe('loginMethod')
    expect(verdict({ engine: 'cockroachdb', port: 26_257 })).toBe('loginMethod')
  })

  it.each<[string, Partial<DataSourceRoute>, DataSourceSecrets, string]>([
    ['an address in place of the connection name', { host: '10.0.0.5' }, {}, 'host'],
    ['a host name in place of the connection name', { host: 'db.test' }, {}, 'host'],
    ['a path in the connection name', { host: 'shop:eu:../../other' }, {}, 'host'],
    ['an SSH server', { ssh: [hop] }, { 'ssh.0.password': text }, 'ssh'],
    ['a port', { port: 3307 }, {}, 'port'],
    ['a weaker TLS mode', { tlsMode: 'require' }, {}, 'tlsMode'],
    ['an authority in a file', { tlsFiles: { ca: '/ca.pem' } }, {}, 'tlsFiles.ca'],
    ['a password', {}, { password: text }, 'password'],
    ['a key that is no JSON', {}, { serviceAccount: text }, 'serviceAccount'],
    [
      'a key that lives elsewhere',
      { secretReferences: { serviceAccount: { source: 'vault_kv' } } },
      { serviceAccount: text },
      'fine',
    ],
    ['its private address', { fields: { cloudSqlIpType: 'private' } }, {}, 'fine'],
    ['Private Service Connect', { fields: { cloudSqlIpType: 'psc' } }, {}, 'fine'],
    ['an address of another kind', { fields: { cloudSqlIpType: 'PUBLIC' } }, {}, 'cloudSqlIpType'],
    ['a field of another cloud', { fields: { awsRegion: 'eu-central-1' } }, {}, 'awsRegion'],
  ])('with %s', (_, change, secrets, expected) => {
    expect(verdict(change, secrets)).toBe(expected)
  })
})
