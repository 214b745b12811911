import { describe, expect, it } from 'vitest'
import { testRoute } from '../../test/support/test-route.ts'
import { Secret } from '../base/secret.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { checkCapabilities } from './check-capabilities.ts'

const azureClientSecret = new Secret('client secret')
const fields = { azureTenantId: 'contoso.example', azureClientId: '11111111-2222-3333-4444-555555555555' }

function verdict(change: Partial<DataSourceRoute>, secrets: DataSourceSecrets = { azureClientSecret }): string {
  const base = { host: 'db.test', loginMethod: 'azure_entra', tlsMode: 'verify-full', fields } as const
  try {
    checkCapabilities(testRoute(5432, { ...base, ...change }), secrets)
    return 'fine'
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT' })
    return (thrown as { detail: { field: string } }).detail.field
  }
}

describe('a login with a token of Microsoft Entra', () => {
  it('is possible with PostgreSQL and MySQL, by an application that is given or that of this node', () => {
    for (const engine of ['postgres', 'mysql'] as const) {
      expect(verdict({ engine })).toBe('fine')
      expect(verdict({ engine, fields: {} }, {})).toBe('fine')
    }
    expect(verdict({ engine: 'mariadb' })).toBe('loginMethod')
  })

  it.each<[string, Partial<DataSourceRoute>, DataSourceSecrets, string]>([
    ['TLS that proves nothing', { tlsMode: 'require' }, { azureClientSecret }, 'tlsMode'],
    ['no TLS', { tlsMode: 'disable' }, { azureClientSecret }, 'tlsMode'],
    ['a Unix socket', { host: '/run/db' }, { azureClientSecret }, 'host'],
    ['a password', {}, { azureClientSecret, password: azureClientSecret }, 'password'],
    ['a secret of no tenant', { fields: { azureClientId: 'a' } }, { azureClientSecret }, 'azureTenantId'],
    ['a secret of no application', { fields: { azureTenantId: 'a' } }, { azureClientSecret }, 'azureClientId'],
    ['an application without its secret', {}, {}, 'azureTenantId'],
    ['a path for a tenant', { fields: { ...fields, azureTenantId: '../x' } }, { azureClientSecret }, 'azureTenantId'],
    ['an authority in a file, by this node', { fields: {}, tlsFiles: { ca: '/ca.pem' } }, {}, 'fine'],
  ])('with %s', (_, change, secrets, expected) => {
    expect(verdict(change, secrets)).toBe(expected)
  })
})
