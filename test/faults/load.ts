import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { expect } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import type { Forge } from '../support/forge.ts'
import { failureCode, openGatewaySession } from '../support/gateway-session.ts'
import type { DemoReadyFile, RunningPostern } from '../support/running-postern.ts'

/** What a client was told had happened: it must be true for ever. */
interface Acknowledged {
  /** Ids of credentials that the control plane handed out. */
  readonly credentials: string[]
  /** Ids of credentials that opened a session. */
  readonly logins: string[]
  readonly rows: number[]
}

const clients = 3
const rowsPerSession = 5
const pauseMs = 20

/**
 * A small load on the demo instance: clients that get a credential, log in, commit some rows and leave, again and again. Each
 * keeps a list of what was acknowledged to it. Failures are expected, and counted.
 */
export class Load {
  readonly acknowledged: Acknowledged = { credentials: [], logins: [], rows: [] }
  readonly failures: string[] = []
  readonly #postern: () => RunningPostern<DemoReadyFile>
  readonly #application: () => ControlPlane
  readonly #running: Promise<void>[] = []
  #stopped = false
  #nextRow = 1

  /** @param postern asked again for each round, so that a restart is followed */
  constructor(postern: () => RunningPostern<DemoReadyFile>, application: () => ControlPlane) {
    this.#postern = postern
    this.#application = application
  }

  async start(): Promise<void> {
    const session = await this.openSession()
    await session.query('create table if not exists public.acknowledged (n int primary key)')
    const { rows } = await session.query('select coalesce(max(n), 0) + 1 as next from public.acknowledged')
    this.#nextRow = rows[0].next
    await session.end()
    for (let i = 0; i < clients; i++) this.#running.push(this.#work())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  /** As whom the load logs in, without a credential. */
  login() {
    const { database, servicePrincipal } = this.#postern().ready
    return { instance: 'sample', user: servicePrincipal.clientId, database }
  }

  /** A session of its own, with a credential of its own. */
  async openSession(): Promise<pg.Client> {
    const credential = await this.#application().mintCredential('sample')
    this.acknowledged.credentials.push(credentialId(credential))
    const session = await openGatewaySession(this.#postern(), { ...this.login(), credential })
    this.acknowledged.logins.push(credentialId(credential))
    return session
  }

  /** Waits until the whole way works again, from the token endpoint to a committed row, several times in a row. */
  async recovers(timeoutMs = 30_000): Promise<void> {
    const rounds = () => this.acknowledged.logins.length
    const before = rounds()
    await expect.poll(rounds, { timeout: timeoutMs, interval: 50 }).toBeGreaterThanOrEqual(before + 2 * clients)
  }

  /** Everything that was acknowledged is there. */
  async verify(forge: Forge): Promise<void> {
    const [credentials, logins, rows] = [
      [...this.acknowledged.credentials],
      [...this.acknowledged.logins],
      [...this.acknowledged.rows],
    ]
    const session = await this.openSession()
    const kept = await session.query('select n from public.acknowledged')
    await session.end()
    expect(
      missing(
        rows,
        kept.rows.map(({ n }) => Number(n)),
      ),
    ).toEqual([])
    const issued = await recorded(forge, 'credential.issue')
    expect(missing(credentials, issued)).toEqual([])
    // A record may still be on its way from a spool.
    await expect.poll(async () => missing(logins, await recorded(forge, 'login')), { timeout: 15_000 }).toEqual([])
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      try {
        const session = await this.openSession()
        try {
          for (let i = 0; i < rowsPerSession && !this.#stopped; i++) await this.#commitRow(session)
        } finally {
          await session.end().catch(() => undefined)
        }
      } catch (error) {
        this.failures.push(failureCode(error))
        await sleep(pauseMs)
      }
      await sleep(pauseMs)
    }
  }

  async #commitRow(session: pg.Client): Promise<void> {
    const n = this.#nextRow++
    await session.query('insert into public.acknowledged values ($1)', [n])
    this.acknowledged.rows.push(n)
    await sleep(pauseMs)
  }
}

async function recorded(forge: Forge, action: string): Promise<string[]> {
  const { rows } = await forge.store.pool.query(
    `select detail->>'credentialId' as id from audit_event where action = $1 and outcome = 'allowed'`,
    [action],
  )
  return rows.map(({ id }) => String(id))
}

function missing<T>(wanted: readonly T[], there: readonly T[]): T[] {
  const found = new Set(there)
  return wanted.filter((one) => !found.has(one))
}

function credentialId(credential: string): string {
  return JSON.parse(Buffer.from(credential.split('.')[1] as string, 'base64url').toString()).jti
}
