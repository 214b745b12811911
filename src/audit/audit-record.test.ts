import { expect, test } from 'vitest'
import { auditReason } from './audit-record.ts'

test.each([
  ['role-of-another', 'ROLE_OF_ANOTHER'],
  ['sqlstate 3D000', 'SQLSTATE_3D000'],
  ['INSTANCE_NOT_FOUND', 'INSTANCE_NOT_FOUND'],
])('the reason %s is spelled as error codes are', (name, spelled) => {
  expect(auditReason(name)).toBe(spelled)
})
