import { expect, it } from 'vitest'
import { testRoute } from '../../../test/support/test-route.ts'
import { checkMysqlRoute } from './options.ts'

it.each(['database', 'username'] as const)('refuses a %s that no server of the family could have', (field) => {
  expect(() => checkMysqlRoute(testRoute(3306, { engine: 'mysql' }))).not.toThrow()
  expect(() => checkMysqlRoute(testRoute(3306, { engine: 'mysql', [field]: 'x'.repeat(129) }))).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', detail: { field } }),
  )
})
