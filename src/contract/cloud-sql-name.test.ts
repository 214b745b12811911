import { describe, expect, it } from 'vitest'
import { cloudSqlUser, readCloudSqlName } from './cloud-sql-name.ts'

describe('a connection name of Cloud SQL', () => {
  it.each([
    ['shop-prod:europe-west3:orders', { projectId: 'shop-prod', region: 'europe-west3', instanceId: 'orders' }],
    ['example.com:shop:us-central1:o-1', { projectId: 'example.com:shop', region: 'us-central1', instanceId: 'o-1' }],
  ])('%s names project, region and instance', (text, name) => {
    expect(readCloudSqlName(text)).toEqual(name)
    expect(readCloudSqlName(text.toUpperCase())).toEqual(name)
  })

  it.each([
    '',
    'orders',
    'shop:orders',
    'a:b:c:d:e',
    '10.0.0.1',
    '::1',
    'shop:eu/../x:orders',
    'shop:eu west:o',
    'p:r:',
  ])('%j is none', (text) => expect(readCloudSqlName(text)).toBeUndefined())
})

describe('the user of a Google identity', () => {
  const shop = { projectId: 'shop', region: 'eu', instanceId: 'orders' }
  it.each([
    ['bytebase', 'postgres', 'bytebase@shop.iam'],
    ['bytebase@shop.iam.gserviceaccount.com', 'postgres', 'bytebase@shop.iam'],
    ['Bytebase@Other.iam', 'postgres', 'bytebase@other.iam'],
    ['Ana@Example.com', 'postgres', 'ana@example.com'],
    ['bytebase', 'mysql', 'bytebase'],
    ['bytebase@shop.iam.gserviceaccount.com', 'mysql', 'bytebase'],
  ] as const)('[D1-083] %s is sent to %s as %s', (entered, family, sent) => {
    expect(cloudSqlUser(entered, family, shop)).toBe(sent)
  })

  it('of a project of a domain has the domain last', () => {
    expect(cloudSqlUser('bytebase', 'postgres', { ...shop, projectId: 'example.com:shop' })).toBe(
      'bytebase@shop.example.com.iam',
    )
  })
})
