import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { expect } from 'vitest'
import { type ControlPlane, type NewServicePrincipal, requestToken } from '../support/control-plane.ts'
import { FaultRelay } from '../support/fault-relay.ts'
import { openGatewaySession } from '../support/gateway-session.ts'
import { type RunningPostern, startPostern, temporaryFolder } from '../support/running-postern.ts'
import { startUpstreamPostgres, type UpstreamPostgres } from '../support/upstream-postgres.ts'

const hba = ['host all all 127.0.0.1/32 scram-sha-256']
const owner = 'postern_store'
const keeper = 'keeper'
const password = 'only for this test'

/** Somebody else's Postgres that holds the metadata, behind a network that can fail, and an instance beside it. */
export class ExternalStore {
  readonly upstream: UpstreamPostgres
  readonly relay: FaultRelay
  readonly #files = temporaryFolder('store-')

  private constructor(upstream: UpstreamPostgres, relay: FaultRelay) {
    this.upstream = upstream
    this.relay = relay
    const url = `postgresql://${owner}:${encodeURIComponent(password)}@127.0.0.1:${relay.port}/metadata?sslmode=disable`
    writeFileSync(this.#file('url'), url, { mode: 0o600 })
    writeFileSync(this.#file('key'), randomBytes(32).toString('base64'), { mode: 0o600 })
  }

  static async start(): Promise<ExternalStore> {
    const upstream = await startUpstreamPostgres({ hba })
    const relay = await FaultRelay.start(upstream.port)
    const superuser = await upstream.superuser()
    await superuser.query(`create role ${owner} login password '${password}'`)
    await superuser.query(`create role ${keeper} login createrole createdb password '${password}'`)
    await superuser.query(`create database metadata owner ${owner}`)
    await superuser.query('create database orders')
    await superuser.end()
    return new ExternalStore(upstream, relay)
  }

  /** A node on this store. The first one makes the schema. */
  startNode(options: { flags?: readonly string[]; dataDir?: string } = {}): Promise<RunningPostern> {
    const store = ['--store-url-file', this.#file('url'), '--master-key-file', this.#file('key')]
    return startPostern({ ...options, flags: [...store, ...(options.flags ?? [])] })
  }

  /** What the metadata store holds, asked past the failing network. */
  async ask<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    const superuser = await this.upstream.superuser('metadata')
    try {
      return (await superuser.query<Row>(sql, values)).rows
    } finally {
      await superuser.end()
    }
  }

  /** Registers the database `orders` of the same server, reached past the relay, and binds somebody to a Postgres role. */
  async registerInstance(admin: ControlPlane, ...holders: readonly NewServicePrincipal[]): Promise<void> {
    const { port } = this.upstream
    const route = { host: '127.0.0.1', port, database: 'orders', username: keeper, password, tlsMode: 'disable' }
    await admin.expect('POST', '/v1/instances', { kind: 'external', name: 'orders', adminDataSource: route })
    for (const { clientId } of holders) await admin.bindPostgresRole('orders', clientId)
  }

  async stop(): Promise<void> {
    await this.relay.stop()
    await this.upstream.stop()
    rmSync(this.#files, { recursive: true, force: true })
  }

  #file(name: string): string {
    return join(this.#files, name)
  }
}

/** What came of a login: `session`, or the SQLSTATE of the refusal and its text. And how long it took. */
export async function attempt(node: RunningPostern, user: string, credential: string) {
  const startedAt = performance.now()
  const login = { instance: 'orders', user, credential, database: 'orders' }
  try {
    const session = await openGatewaySession(node, login)
    await session.query('select 1')
    await session.end()
    return { outcome: 'session', message: '', elapsedMs: performance.now() - startedAt }
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return { outcome: code ?? 'closed', message, elapsedMs: performance.now() - startedAt }
  }
}

/** Status and problem code of a probe or an API request, and how long it took. */
export async function ask(node: RunningPostern, path: string, accessToken?: string) {
  const startedAt = performance.now()
  const headers = accessToken === undefined ? undefined : { authorization: `Bearer ${accessToken}` }
  const response = await fetch(`${node.ready.httpUrl}${path}`, { headers, signal: AbortSignal.timeout(30_000) })
  const body = (await response.json()) as Record<string, unknown>
  return { status: response.status, body, elapsedMs: performance.now() - startedAt }
}

export async function waitUntilReady(node: RunningPostern): Promise<void> {
  await expect.poll(async () => (await ask(node, '/readyz')).status, { timeout: 20_000 }).toBe(200)
}

/** Files of the audit spool of a node's first worker. */
export function spooled(node: RunningPostern): string[] {
  const folder = join(node.dataDir, 'gateway', '1')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ndjson'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
}

export async function waitUntilShipped(node: RunningPostern): Promise<void> {
  await expect.poll(() => spooled(node), { timeout: 20_000 }).toEqual([])
}

/** The token endpoint as a service principal asks it. */
export function askForToken(node: RunningPostern, { clientId, clientSecret }: NewServicePrincipal) {
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
  const form = { grant_type: 'client_credentials', scope: 'all-apis' }
  return requestToken(node.ready.httpUrl, form, { authorization: `Basic ${basic}` })
}
