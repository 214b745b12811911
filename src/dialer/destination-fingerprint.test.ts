import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PLAIN_ROUTE, type DataSourceRoute } from './data-source-route.ts'
import { destinationFingerprint } from './destination-fingerprint.ts'

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

describe('destination fingerprint', () => {
  it.each<Partial<DataSourceRoute>>([
    { host: 'db.attacker.test' },
    { port: 5433 },
    { username: 'other' },
    { tlsMode: 'require' },
    { tlsMode: 'verify-ca' },
    { tlsMode: 'disable' },
    { tlsCa: '-----BEGIN CERTIFICATE-----' },
    { tlsCa: '' },
    { tlsCa: 'public' },
    { host: '/run/postgres' },
  ])('changes with %j', (change) => {
    expect(destinationFingerprint({ ...route, ...change })).not.toBe(destinationFingerprint(route))
  })

  it('stays when only the database changes, since the login is the same', () => {
    expect(destinationFingerprint({ ...route, database: 'other' })).toBe(destinationFingerprint(route))
  })

  it('reads a host name as DNS does, and a folder as the file system does', () => {
    expect(destinationFingerprint({ ...route, host: 'DB.Example.test.' })).toBe(destinationFingerprint(route))
    expect(destinationFingerprint({ ...route, host: '/Run' })).not.toBe(
      destinationFingerprint({ ...route, host: '/run' }),
    )
  })

  it('is equal only for equal destinations, whatever the fields hold', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\\', '1', '/', ' ') })
    const parts = fc.record({ username: text, tlsCa: fc.option(text), port: fc.integer({ min: 1, max: 99 }) })
    fc.assert(
      fc.property(parts, parts, (left, right) => {
        const same = left.username === right.username && left.tlsCa === right.tlsCa && left.port === right.port
        expect(destinationFingerprint({ ...route, ...left }) === destinationFingerprint({ ...route, ...right })).toBe(
          same,
        )
      }),
    )
  })
})
