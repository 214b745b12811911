import fs from 'node:fs'
import pg from 'pg'
import type { Secret } from '../../base/secret.ts'
import type { ReadyFacts } from '../ready-file.ts'

export const demoInstance = 'sample'
export const demoDatabase = 'databricks_postgres'

/** Opens a session through the gateway the way an application does: node-postgres, verified TLS, a credential as the password. */
export async function openDemoSession(
  ready: ReadyFacts,
  login: { readonly user: string; readonly credential: Secret },
): Promise<pg.Client> {
  const client = new pg.Client({
    host: ready.gatewayHost,
    port: ready.gatewayPort,
    user: login.user,
    password: login.credential.reveal(),
    database: demoDatabase,
    application_name: 'postern demo',
    ssl: { ca: fs.readFileSync(ready.caFile, 'utf8') },
  })
  await client.connect()
  return client
}
