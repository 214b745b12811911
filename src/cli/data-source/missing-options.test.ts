import { describe, expect, it } from 'vitest'
import { ENGINE_CAPABILITIES } from '../../contract/engines.ts'
import { missingOptions } from './missing-options.ts'

const { postgres, oracle, snowflake, spanner } = ENGINE_CAPABILITIES
const place = { hostName: 'db.example.test', username: 'keeper' }

describe('what a new data source still lacks', () => {
  it('is named by the options that give it, for each engine its own', () => {
    expect(missingOptions(postgres, {})).toEqual(['--host-name', '--username'])
    expect(missingOptions(oracle, place)).toEqual(['--field serviceName=… or --field sid=…'])
    expect(missingOptions(snowflake, { username: 'KEEPER' })).toEqual(['--field account=…', '--private-key-file'])
    expect(missingOptions(spanner, {})).toEqual([
      '--field projectId=…',
      '--field instanceId=…',
      '--service-account-file',
    ])
  })

  it('is nothing where all of it is given, where the login takes no secret, or a secret lives elsewhere', () => {
    expect(missingOptions(postgres, place)).toEqual([])
    expect(missingOptions(oracle, { ...place, field: { sid: 'XE' } })).toEqual([])
    const field = { projectId: 'p', instanceId: 'i' }
    expect(missingOptions(spanner, { field, loginMethod: 'ambient' })).toEqual([])
    const elsewhere = { field, externalSecret: { serviceAccount: 'reference.json' } }
    expect(missingOptions(spanner, elsewhere)).toEqual([])
    expect(missingOptions(postgres, { hostName: 'h', externalSecret: { username: 'reference.json' } })).toEqual([])
  })
})
