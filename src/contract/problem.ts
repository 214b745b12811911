import { z } from 'zod'

/** Body of every failure under `/v1` (RFC 9457). */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    hint: z.string().optional(),
    requestId: z.string(),
    sshHostKey: z
      .object({ host: z.string(), port: z.number().int(), hostKey: z.string(), algorithm: z.string() })
      .optional()
      .describe('An SSH host key that is not pinned yet: confirm it by sending it as hostKey of that hop.'),
    fields: z.array(z.string()).optional().describe('Fields of a data source whose secrets must be entered again.'),
  })
  .meta({ id: 'Problem', description: 'Why the request was not done (RFC 9457).' })
export type Problem = z.infer<typeof Problem>

/** Body of every failure under `/api/2.0`. */
export const ApiError = z
  .object({ error_code: z.string(), message: z.string() })
  .meta({ id: 'ApiError', description: 'Why the request was not done.' })
