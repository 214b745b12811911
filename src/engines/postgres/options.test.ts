import { describe, expect, it } from 'vitest'
import { PLAIN_ROUTE, type DataSourceRoute } from '../../dialer/data-source-route.ts'
import { checkPostgresRoute } from './options.ts'

const route: DataSourceRoute = {
  ...PLAIN_ROUTE,
  engine: 'postgres',
  host: 'db.example.test',
  port: 5432,
  database: 'app',
  username: 'postern',
  loginMethod: 'password',
  tlsMode: 'verify-full',
  tlsCa: null,
}
const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

describe('a route to Postgres', () => {
  it.each<Partial<DataSourceRoute>>([
    {},
    { host: '10.0.0.1' },
    { host: '::1' },
    { host: 'fe80::1' },
    { host: 'host.docker.internal' },
    { host: 'my_db.internal.' },
    { host: '/run/postern/abc' },
    { tlsMode: 'verify-ca', tlsCa: pem },
    { tlsMode: 'verify-ca', tlsFiles: { ca: '/etc/postern/ca.pem' } },
    { tlsMode: 'require' },
    { tlsMode: 'disable' },
  ])('may be %j', (change) => {
    expect(() => checkPostgresRoute({ ...route, ...change })).not.toThrow()
  })

  it.each<[Partial<DataSourceRoute>, string]>([
    [{ host: '' }, 'host'],
    [{ host: '@abstract' }, 'host'],
    [{ host: 'a,b' }, 'host'],
    [{ host: 'a b' }, 'host'],
    [{ host: 'db.example.test:5432' }, 'host'],
    [{ host: 'postgres://db' }, 'host'],
    [{ host: '-flag' }, 'host'],
    [{ host: 'a\0b' }, 'host'],
    [{ username: 'é'.repeat(32) }, 'username'],
    [{ database: 'x'.repeat(64) }, 'database'],
    [{ database: 'a\0b' }, 'database'],
    [{ tlsCa: 'not a certificate' }, 'tlsCa'],
    [{ tlsMode: 'require', tlsCa: pem }, 'tlsCa'],
    [{ tlsMode: 'require', tlsFiles: { ca: '/etc/postern/ca.pem' } }, 'tlsCa'],
    [{ tlsMode: 'disable', tlsCa: pem }, 'tlsCa'],
    [{ tlsMode: 'verify-ca', tlsCa: null }, 'tlsMode'],
  ])('is refused where %j cannot be honoured', (change, field) => {
    expect(() => checkPostgresRoute({ ...route, ...change })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', detail: { field } }),
    )
  })
})
