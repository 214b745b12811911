import { z } from 'zod'

export const SigningKey = z.object({
  id: z.uuid(),
  purpose: z.enum(['access_token', 'database_credential']),
  phase: z.enum(['next', 'current', 'previous']),
  activeFrom: z.iso.datetime(),
  verifyUntil: z.iso.datetime().nullable(),
})
export const SigningKeyList = z.object({ keys: z.array(SigningKey) })
