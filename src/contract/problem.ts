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
  })
  .meta({ id: 'Problem', description: 'Why the request was not done (RFC 9457).' })

/** Body of every failure under `/api/2.0`. */
export const ApiError = z
  .object({ error_code: z.string(), message: z.string() })
  .meta({ id: 'ApiError', description: 'Why the request was not done.' })
