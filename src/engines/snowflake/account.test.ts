import { describe, expect, it } from 'vitest'
import { parseSnowflakeAccount } from './account.ts'

/** Addresses that are only read, never reached, are put together. */
const SLASHES = '//'

const web = (rest: string) => `https:${SLASHES}${rest}`

describe('[D1-174] [D1-175] account of Snowflake', () => {
  it.each([
    ['xy12345', 'xy12345.snowflakecomputing.com', 'XY12345'],
    [' XY12345 ', 'xy12345.snowflakecomputing.com', 'XY12345'],
    ['xy12345.us-east-1', 'xy12345.us-east-1.snowflakecomputing.com', 'XY12345'],
    ['XY12345.us-east-2.aws', 'xy12345.us-east-2.aws.snowflakecomputing.com', 'XY12345'],
    ['xy12345.us-central1.gcp', 'xy12345.us-central1.gcp.snowflakecomputing.com', 'XY12345'],
    ['xy12345.west-europe.azure', 'xy12345.west-europe.azure.snowflakecomputing.com', 'XY12345'],
    ['xy12345.cn-northwest-1.aws', 'xy12345.cn-northwest-1.aws.snowflakecomputing.cn', 'XY12345'],
    ['myorg-account_1', 'myorg-account-1.snowflakecomputing.com', 'MYORG-ACCOUNT_1'],
    [
      'xy12345.us-east-1.privatelink.snowflakecomputing.com',
      'xy12345.us-east-1.privatelink.snowflakecomputing.com',
      'XY12345',
    ],
    [
      web('XY12345.eu-west-1.snowflakecomputing.com/console/login#/'),
      'xy12345.eu-west-1.snowflakecomputing.com',
      'XY12345',
    ],
    [web('myorg-acc.snowflakecomputing.cn'), 'myorg-acc.snowflakecomputing.cn', 'MYORG-ACC'],
    [web('app.snowflake.com/myorg/account1/#/homepage'), 'myorg-account1.snowflakecomputing.com', 'MYORG-ACCOUNT1'],
    [web('app.snowflake.com/us-east-1/xy12345/worksheets'), 'xy12345.us-east-1.snowflakecomputing.com', 'XY12345'],
  ])('%j is read as the host %s and the name %s', (text, host, name) => {
    expect(parseSnowflakeAccount(text)).toEqual({ host, name })
  })

  it.each([
    ['', 'empty'],
    ['my_account', 'neither a locator'],
    ['myorg.account1', 'hyphen'],
    ['xy12345.us-east-2.ibm', 'aws, azure or gcp'],
    ['xy12345.us-east-2.aws.more', 'aws, azure or gcp'],
    ['user@xy12345', 'character'],
    ['xy12345/db', 'character'],
    [`http:${SLASHES}xy12345.snowflakecomputing.com`, 'https'],
    [web('xy12345.snowflakecomputing.com.evil.test/'), 'not one of an account'],
    [web('evil.test/myorg/account'), 'not one of an account'],
    [web('u:p@xy12345.snowflakecomputing.com/'), 'without user'],
    ['-x.snowflakecomputing.com', 'host name'],
  ])('%j is refused with the reason', (text, reason) => {
    expect(parseSnowflakeAccount(text)).toEqual({ problem: expect.stringContaining(reason) as string })
  })
})
