import pg from 'pg'
import type { RunningPostern } from './running-postern.ts'

/** As whom and where to log in through the gateway. */
export interface GatewayLogin {
  /** Name of the instance: it is asked for by SNI. */
  readonly instance: string
  readonly user: string
  readonly credential: string
  readonly database: string
  readonly applicationName?: string
}

const connectTimeoutMs = 10_000
const queryTimeoutMs = 15_000

/**
 * Opens a session through the gateway with node-postgres, TLS verified; every wait is bounded. The caller ends it.
 * @throws pg.DatabaseError with the SQLSTATE where the login was refused
 */
export async function openGatewaySession(postern: RunningPostern, login: GatewayLogin): Promise<pg.Client> {
  const client = new pg.Client({
    host: postern.ready.gatewayHost,
    port: postern.ready.gatewayPort,
    user: login.user,
    password: login.credential,
    database: login.database,
    application_name: login.applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    ssl: { ca: postern.ca, servername: `${login.instance}.postern.localhost` },
  })
  // The statement that waits hears of a lost session, too; unheard, this event would end the test run.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** SQLSTATE, or what else the failure is known by: an errno, `closed`. */
export function failureCode(error: unknown): string {
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' ? code : 'closed'
}
