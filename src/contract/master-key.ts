import { z } from 'zod'

export const MasterKeyRotation = z.object({
  resealed: z.number().int().describe('Secrets that the new master key seals now.'),
  unreadable: z.number().int().describe('Sealed values that no known master key opens; they were left alone.'),
})
