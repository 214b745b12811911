import { z } from 'zod'

/** What can be set up outside of Postern so that a data source has no password here. */
export const SetupGuideKind = z.enum([
  'aws_rds_iam',
  'google_cloud_sql_iam',
  'azure_entra',
  'vault_kv',
  'vault_database',
  'aws_secrets_manager',
  'gcp_secret_manager',
  'azure_key_vault',
  'endpoint',
])
export type SetupGuideKind = z.infer<typeof SetupGuideKind>

// Every name stands on one line of what is copied.
const name = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[^\p{Cc}]*$/u, 'must be without control characters')

/** Names to fill in. What is not given stands in the answer as `<<…>>`. */
export const SetupGuideQuery = z.object({
  engine: z.enum(['postgres', 'mysql', 'mariadb']).default('postgres'),
  username: name(128).default('bytebase'),
  database: name(128).optional(),
  host: name(253).optional().describe('Endpoint, or project:region:instance of Cloud SQL.'),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region such as us-east-1')
    .optional(),
  accountId: z
    .string()
    .regex(/^\d{12}$/, 'must be the 12 digits of an AWS account')
    .optional(),
  resourceId: z
    .string()
    .regex(/^(db|cluster|prx)-[A-Za-z0-9]{1,64}$/, 'must be the resource id that RDS shows (db-…, cluster-… or prx-…)')
    .optional(),
  serviceAccount: name(254).optional().describe('E-mail of a Google service account.'),
  secretName: name(512).default('bytebase'),
  secretKey: name(256).default('DB_PASSWORD'),
})
export type SetupGuideQuery = z.infer<typeof SetupGuideQuery>

export const SetupGuide = z.object({
  kind: SetupGuideKind,
  title: z.string(),
  steps: z.array(
    z.object({
      title: z.string(),
      text: z.string(),
      copy: z
        .object({ language: z.enum(['sql', 'json', 'shell', 'text']), text: z.string() })
        .optional()
        .describe('To be copied as it is.'),
    }),
  ),
})
export type SetupGuide = z.infer<typeof SetupGuide>
export type SetupStep = SetupGuide['steps'][number]
