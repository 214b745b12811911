import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { EngineField } from '../contract/engines.ts'
import { PLAIN_ROUTE, type DataSourceRoute, type SshHop } from './data-source-route.ts'
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

const hop: SshHop = { host: 'bastion.test', port: 22, username: 'jump', auth: 'password', hostKey: null }

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

  /** One change per field of a route, and of each hop: a field that is added to the type must take its place here. */
  const changes: Readonly<Record<Exclude<keyof DataSourceRoute, 'database'>, readonly Partial<DataSourceRoute>[]>> = {
    engine: [{ engine: 'redshift' }],
    host: [{ host: 'db.attacker.test' }],
    port: [{ port: 5433 }],
    username: [{ username: 'other' }],
    loginMethod: [{ loginMethod: 'ambient' }],
    tlsMode: [{ tlsMode: 'require' }],
    tlsCa: [{ tlsCa: 'pem' }],
    tlsClientCertificate: [{ tlsClientCertificate: 'pem' }],
    tlsFiles: [{ tlsFiles: { ca: '/a' } }, { tlsFiles: { certificate: '/a' } }, { tlsFiles: { key: '/a' } }],
    ssh: Object.entries({
      host: 'attacker.test',
      port: 2222,
      username: 'other',
      auth: 'private_key',
      hostKey: 'SHA256:other',
    } satisfies SshHop).map(([field, value]) => ({ ssh: [{ ...hop, [field]: value }] })),
    fields: EngineField.options.map((field) => ({ fields: { [field]: 'x' } })),
    extraParameters: [
      { extraParameters: { a: 'b' } },
      { extraParameters: { a: 'c' } },
      { extraParameters: { b: 'a' } },
    ],
    secretReferences: [
      { secretReferences: { password: { source: 'endpoint', url: 'https://a.test' } } },
      { secretReferences: { password: { source: 'endpoint', url: 'https://b.test' } } },
      { secretReferences: { tlsClientKey: { source: 'endpoint', url: 'https://a.test' } } },
    ],
  }

  it.each(Object.entries(changes))('is another one for each change of %s, and for no two the same', (_, each) => {
    const base = { ...route, ssh: [hop] }
    const prints = [{}, ...each].map((change) => destinationFingerprint({ ...base, ...change }))
    expect(new Set(prints).size).toBe(each.length + 1)
  })

  it('changes with the number and the order of SSH servers', () => {
    const other = { ...hop, host: 'second.test' }
    const prints = [[], [hop], [hop, other], [other, hop], [hop, hop]].map((ssh) =>
      destinationFingerprint({ ...route, ssh }),
    )
    expect(new Set(prints).size).toBe(prints.length)
  })

  it('is the same whatever the order of fields and parameters', () => {
    const one = { ...route, extraParameters: { a: '1', b: '2' }, fields: { sid: 'x', serviceName: 'y' } }
    const two = { ...route, extraParameters: { b: '2', a: '1' }, fields: { serviceName: 'y', sid: 'x' } }
    expect(destinationFingerprint(one)).toBe(destinationFingerprint(two))
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
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\\', '1', '/', ' ', '[', ']'), maxLength: 4 })
    const record = fc.dictionary(text, text, { maxKeys: 2, noNullPrototype: true })
    const hops = fc.array(
      fc.record(
        {
          host: fc.constantFrom('a.test', 'b.test'),
          port: fc.integer({ min: 1, max: 3 }),
          username: text,
          auth: fc.constantFrom('password', 'private_key'),
          hostKey: fc.option(text),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 2 },
    )
    const parts = fc.record({
      username: text,
      tlsCa: fc.option(text),
      port: fc.integer({ min: 1, max: 3 }),
      tlsClientCertificate: fc.option(text),
      tlsFiles: fc.record({ ca: text, key: text }, { requiredKeys: [], noNullPrototype: true }),
      fields: fc.record({ sid: text, account: text }, { requiredKeys: [], noNullPrototype: true }),
      extraParameters: record,
      ssh: hops,
    })
    const near = parts.chain((left) =>
      fc
        .tuple(fc.constant(left), fc.record({ one: parts, keep: fc.subarray(Object.keys(left)) }))
        .map(
          ([first, { one, keep }]) =>
            [
              first,
              { ...one, ...Object.fromEntries(Object.entries(first).filter(([key]) => keep.includes(key))) },
            ] as const,
        ),
    )
    fc.assert(
      fc.property(near, ([left, right]) => {
        const same = isDeepStrictEqual({ ...left }, { ...right })
        expect(destinationFingerprint({ ...route, ...left }) === destinationFingerprint({ ...route, ...right })).toBe(
          same,
        )
      }),
    )
  })
})
