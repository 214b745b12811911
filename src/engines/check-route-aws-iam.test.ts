import { describe, expect, it } from 'vitest'
import { testRoute } from '../../test/support/test-route.ts'
import { Secret } from '../base/secret.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { checkCapabilities } from './check-capabilities.ts'

const key = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' }
const awsCredentials = new Secret(JSON.stringify(key))
const roleArn = 'arn:aws:iam::123456789012:role/rds-connect'

function verdict(change: Partial<DataSourceRoute>, secrets: DataSourceSecrets = { awsCredentials }): string {
  const route = { host: 'db.test', loginMethod: 'aws_iam', tlsMode: 'verify-full', ...change } as const
  try {
    checkCapabilities(testRoute(5432, route), secrets)
    return 'fine'
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT' })
    return (thrown as { detail: { field: string } }).detail.field
  }
}

describe('a login with a token of AWS', () => {
  it.each(['postgres', 'mysql', 'mariadb'] as const)('is possible with %s, with or without an access key', (engine) => {
    expect(verdict({ engine })).toBe('fine')
    expect(verdict({ engine }, {})).toBe('fine')
  })

  it.each(['tidb', 'cockroachdb', 'redshift'] as const)('is refused for %s', (engine) => {
    expect(verdict({ engine })).toBe('loginMethod')
  })

  it.each<[string, Partial<DataSourceRoute>, DataSourceSecrets, string]>([
    ['TLS that proves nothing', { tlsMode: 'require' }, { awsCredentials }, 'tlsMode'],
    ['no TLS', { tlsMode: 'disable' }, { awsCredentials }, 'tlsMode'],
    ['verify-ca without an authority', { tlsMode: 'verify-ca' }, { awsCredentials }, 'tlsMode'],
    ['verify-ca with one', { tlsMode: 'verify-ca', tlsFiles: { ca: '/ca.pem' } }, { awsCredentials }, 'fine'],
    ['a Unix socket', { host: '/run/db' }, { awsCredentials }, 'host'],
    ['a password', {}, { awsCredentials, password: awsCredentials }, 'password'],
    ['a key that is no JSON', {}, { awsCredentials: new Secret('AKIA…') }, 'awsCredentials'],
    ['half a key', {}, { awsCredentials: new Secret('{"accessKeyId":"AKIAIOSFODNN7EXAMPLE"}') }, 'awsCredentials'],
    [
      'a key that lives elsewhere',
      { secretReferences: { awsCredentials: { source: 'vault_kv' } } },
      { awsCredentials: new Secret('{"source":"vault_kv"}') },
      'fine',
    ],
    ['a region', { fields: { awsRegion: 'eu-central-1' } }, {}, 'fine'],
    ['a region that is none', { fields: { awsRegion: 'Frankfurt' } }, {}, 'awsRegion'],
    ['a role with an external id', { fields: { awsRoleArn: roleArn, awsExternalId: 'ours' } }, {}, 'fine'],
    ['a role that is none', { fields: { awsRoleArn: 'rds-connect' } }, {}, 'awsRoleArn'],
    ['an external id without a role', { fields: { awsExternalId: 'ours' } }, {}, 'awsExternalId'],
    ['an external id too short', { fields: { awsRoleArn: roleArn, awsExternalId: 'x' } }, {}, 'awsExternalId'],
    ['an authority in a file, without a key', { tlsFiles: { ca: '/ca.pem' } }, {}, 'fine'],
    ['a region for a login with a password', { loginMethod: 'password', fields: { awsRegion: 'x' } }, {}, 'awsRegion'],
  ])('with %s', (_, change, secrets, expected) => {
    expect(verdict(change, secrets)).toBe(expected)
  })
})
