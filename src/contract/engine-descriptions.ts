import { z } from 'zod'
import { EngineField, EngineName, LoginMethod, ManageMode } from './engines.ts'
import { TlsMode } from './tls-mode.ts'

const FieldUse = z.enum(['required', 'optional', 'refused'])

/** What a form for a data source of an engine is made of. */
export const EngineDescription = z.object({
  engine: EngineName,
  title: z.string(),
  defaultPort: z.number().int().nullable(),
  defaultDatabase: z.string(),
  host: FieldUse,
  database: FieldUse,
  username: FieldUse,
  fields: z.partialRecord(EngineField, FieldUse),
  oneOf: z.array(EngineField).describe('At least one of these fields must be given.'),
  tlsModes: z.array(TlsMode),
  clientCertificate: z.boolean(),
  ssh: z.boolean(),
  loginMethods: z.array(LoginMethod),
  readOnly: z.enum(['transaction', 'session', 'setting', 'statement-kind']),
  extraParameters: z.record(
    z.string(),
    z.object({
      description: z.string(),
      values: z.union([
        z.array(z.string()),
        z.object({ from: z.number(), to: z.number() }),
        z.object({ pattern: z.string() }),
      ]),
    }),
  ),
  gateway: z.boolean().describe('Whether people can log in through the gateway.'),
  manageModes: z.array(ManageMode),
  sameHost: z
    .object({ host: z.string(), note: z.string() })
    .nullable()
    .describe('What to enter for a database on the same machine as Postern; null where there is no such thing.'),
  addressesToAllow: z.array(z.string()).describe('Addresses to allow in the firewall of the database.'),
  grantStatements: z.object({
    admin: z.array(z.string()).describe('Statements that give the user of the admin data source what it needs.'),
    readOnly: z.array(z.string()),
  }),
})
export type EngineDescription = z.infer<typeof EngineDescription>

export const EngineList = z.object({ engines: z.array(EngineDescription) })

/** Names to fill into the statements. */
export const EngineQuery = z.object({
  username: z.string().max(255).optional().describe('User that the statements are for.'),
  database: z.string().max(255).optional(),
})
