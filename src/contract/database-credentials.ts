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

/** Body of `POST /api/2.0/postgres/credentials`, the other way of the compatible API to the same credential. */
export const GeneratePostgresCredentialInput = z.object({
  endpoint: z.string().max(255).describe('projects/INSTANCE/branches/production/endpoints/primary'),
  claims: z.array(z.unknown()).max(10).nullish(),
  group_name: z.string().max(256).nullish().describe('Logs in as the Postgres role of this group alone.'),
  ttl: z.string().max(32).nullish().describe('Seconds, such as 900s: 300s to 3600s.'),
  expire_time: z.string().max(64).nullish().describe('RFC 3339, instead of ttl.'),
})

export const PostgresCredential = z.object({
  token: z.string(),
  expire_time: z.string().describe('RFC 3339, UTC, whole seconds.'),
})

/** Body of `POST /v1/databaseCredentials`. Each wish restricts the credential; one that cannot be honoured is an error. */
export const CreateDatabaseCredentialInput = z.strictObject({
  requestId: z
    .string()
    .max(128)
    .optional()
    .describe('Chosen by the caller, kept in the audit record; it never replays an answer.'),
  instanceNames: z.array(z.string().min(1).max(63)).min(1).max(10, 'must be ten at most'),
  groupName: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Logs in as the Postgres role of this group alone; the caller must be a direct or indirect member.'),
  lifetimeSeconds: z.number().int().min(300).max(3600).optional().describe('Default 3600.'),
  readOnly: z.boolean().optional().describe('Opens sessions on a physical standby alone.'),
})

export const IssuedDatabaseCredential = z.object({
  token: z.string().describe('The password for Postgres.'),
  expiresAt: z.iso.datetime().describe('From then on it opens no new session; open ones live on.'),
})
