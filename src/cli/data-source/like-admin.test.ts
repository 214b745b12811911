import { describe, expect, it } from 'vitest'
import type { DataSource } from '../../contract/data-sources.ts'
import { likeAdmin } from './like-admin.ts'

const admin = {
  host: 'db.example.test',
  port: 5433,
  database: 'shop',
  tlsMode: 'verify-ca',
  tlsCa: 'PEM',
  tlsFiles: {},
  fields: {},
} as DataSource

describe('a read-only data source', () => {
  it('of the same server takes place, database, TLS mode and authority over from the admin one', () => {
    const { host, port, database, tlsMode, tlsCa } = admin
    expect(likeAdmin(admin, {})).toEqual({ host, port, database, tlsMode, tlsCa })
  })

  it('that is a replica keeps the default port and TLS mode, but trusts the same authority', () => {
    const replica = likeAdmin({ ...admin, tlsMode: 'disable' }, { hostName: 'replica.example.test' })
    expect(replica).toEqual({ host: admin.host, database: 'shop', tlsCa: 'PEM' })
    expect(likeAdmin(admin, { port: 6000 })).toEqual({ host: admin.host, database: 'shop', tlsCa: 'PEM' })
  })

  it('takes over no authority beside its own, and none where nothing is verified', () => {
    expect(likeAdmin(admin, { tlsCaFile: 'other.pem' })).not.toHaveProperty('tlsCa')
    expect(likeAdmin(admin, { tlsServerFile: { ca: '/other.pem' } })).not.toHaveProperty('tlsCa')
    expect(likeAdmin(admin, { tlsMode: 'require' })).not.toHaveProperty('tlsCa')
  })

  it('takes over an authority in a file of the server, and no key beside it', () => {
    const inFile = { ...admin, tlsCa: null, tlsFiles: { ca: '/ca.pem', key: '/key.pem' } }
    expect(likeAdmin(inFile, {}).tlsFiles).toEqual({ ca: '/ca.pem' })
  })

  it('of Snowflake or Spanner takes the place over, never the Snowflake role', () => {
    const snowflake = {
      ...admin,
      host: '',
      port: 0,
      tlsCa: null,
      fields: { account: 'xy12345', snowflakeRole: 'SYSADMIN' },
    }
    expect(likeAdmin(snowflake, {})).toEqual({ database: 'shop', tlsMode: 'verify-ca', fields: { account: 'xy12345' } })
  })
})
