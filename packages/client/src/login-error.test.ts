import { describe, expect, test } from 'vitest'
import { loginErrorOf } from './index.ts'

/** As node-postgres and postgres.js throw what a server sent. */
const refused = (code: string, routine?: string) =>
  Object.assign(new Error('authentication failed: so it is'), { severity: 'FATAL', code, routine, hint: 'Do this.' })

describe('a refused login', () => {
  test.each([
    ['28P01', 'CREDENTIAL_EXPIRED', 'expired', true],
    ['28P01', 'CREDENTIAL_WRONG_INSTANCE', 'wrong-instance', false],
    ['28000', 'ROLE_NOT_BOUND', 'no-role', false],
    ['28000', 'NOT_A_MEMBER', 'not-a-member', false],
    ['28000', 'PRINCIPAL_INACTIVE', 'inactive', false],
    ['57P03', 'INSTANCE_NOT_AVAILABLE', 'unavailable', true],
    ['28P01', 'AUTHENTICATION_FAILED', 'refused', false],
    // Of a version that is newer, or of the database itself.
    ['28P01', 'auth_failed', 'refused', false],
    ['3D000', 'InitPostgres', 'not-found', false],
    ['53300', undefined, 'unavailable', true],
    ['08001', undefined, 'unavailable', true],
  ])('%s %s means %s', (sqlstate, routine, reason, isRetryable) => {
    expect(loginErrorOf(refused(sqlstate, routine))).toEqual({
      reason,
      sqlstate,
      isRetryable,
      message: 'authentication failed: so it is',
      hint: 'Do this.',
    })
  })

  test.each([
    ['an error of a statement', Object.assign(new Error('no'), { severity: 'ERROR', code: '42P01' })],
    ['an end by an administrator', refused('57P01')],
    ['an error of the network', Object.assign(new Error('no'), { code: 'ECONNREFUSED' })],
    ['anything else', 'text'],
  ])('is not %s', (_name, error) => {
    expect(loginErrorOf(error)).toBeUndefined()
  })
})
