import { z } from 'zod'

/** Body of `POST /api/2.0/database/credentials`, as the compatible API names its fields. */
export const GenerateDatabaseCredentialInput = z.object({
  request_id: z
    .string()
    .max(128)
    .optional()
    .describe('Chosen by the caller, kept in the audit record; it never replays an answer.'),
  instance_names: z.array(z.string().min(1).max(63)).max(10, 'must be ten at most').optional(),
  claims: z.array(z.unknown()).max(10).optional(),
})

export const DatabaseCredential = z.object({
  token: z.string(),
  expiration_time: z.string().describe('RFC 3339, UTC, whole seconds.'),
})
