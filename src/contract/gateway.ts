import { z } from 'zod'

/** What a client needs to verify the gateway. */
export const Gateway = z.object({
  port: z.number().int(),
  caPem: z
    .string()
    .describe('PEM certificates to trust: of Postern’s own authority, or the chain that the operator gave.'),
})
