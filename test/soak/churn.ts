import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JwtClaims } from '../../src/crypto/jwt.ts'
import type { ControlPlane } from '../support/control-plane.ts'
import type { Forge } from '../support/forge.ts'
import { failureCode, openGatewaySession } from '../support/gateway-session.ts'
import { RawPgClient } from '../support/raw-pg-client.ts'
import { backendKeyOf, cancelRequest, errorOf, message } from '../support/raw-pg-messages.ts'
import type { DemoReadyFile, RunningPostern } from '../support/running-postern.ts'

const serverName = 'sample.postern.localhost'
const group = 'soakers'
const clients = 4
const pauseMs = 40
const tokenLifeMs = 10 * 60_000
const credentialKeptMs = 1_000
/** What a killed worker cuts shows within this time. */
const killShadowMs = 5_000

/** What happened, counted. */
export interface Tally {
  readonly activities: Map<string, number>
  readonly unexpected: string[]
  cutByKills: number
  readonly killedAt: Date[]
  /** Application names of sessions that were opened; each is its own. */
  readonly opened: Set<string>
}

/** Clients that do everything a client does, rightly and wrongly, until they are told to stop. */
export class Churn {
  readonly tally: Tally = { activities: new Map(), unexpected: [], cutByKills: 0, killedAt: [], opened: new Set() }
  readonly #postern: RunningPostern<DemoReadyFile>
  readonly #forge: Forge
  readonly #running: Promise<void>[] = []
  #application: ControlPlane | undefined
  #signedInAt = 0
  #kept: Promise<string> | undefined
  #keptSince = 0
  #stopped = false
  #row = 0

  constructor(postern: RunningPostern<DemoReadyFile>, forge: Forge) {
    this.#postern = postern
    this.#forge = forge
  }

  async start(): Promise<void> {
    const { clientId } = this.#postern.ready.servicePrincipal
    const admin = await this.#postern.asAdmin()
    await this.#forge.group(group, { containing: clientId })
    await admin.expect('POST', '/v1/instances/sample/roles', { principal: { group } })
    const session = await this.#open('setup')
    await session.query('create table public.churn (n int primary key, text text)')
    await session.end()
    const activities: [string, () => Promise<void>][] = [
      ['session with queries', () => this.#queries()],
      ['rows committed and read back', () => this.#rows()],
      ['query cancelled', () => this.#cancel()],
      ['client killed in a query', () => this.#vanish()],
      ['COPY out', () => this.#copyOut()],
      ['COPY in', () => this.#copyIn()],
      ['expired credential refused', () => this.#expired()],
      ['wrong password refused', () => this.#wrongPassword()],
    ]
    for (let i = 0; i < clients; i++) {
      this.#running.push(
        this.#loop(() => activities[Math.floor(Math.random() * activities.length)] as [string, () => Promise<void>]),
      )
    }
    this.#running.push(this.#loop(() => ['group membership taken and given', () => this.#membership()], 1_000))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#running)
  }

  /** Tells that a worker is killed now: what it cuts is expected. */
  noteKill(): void {
    this.tally.killedAt.push(new Date())
  }

  async #loop(next: () => [string, () => Promise<void>], pause = pauseMs): Promise<void> {
    while (!this.#stopped) {
      const [name, activity] = next()
      const startedAt = Date.now()
      try {
        await activity()
        this.tally.activities.set(name, (this.tally.activities.get(name) ?? 0) + 1)
      } catch (error) {
        const isCut = this.tally.killedAt.some(
          (at) => startedAt - killShadowMs < at.getTime() && at.getTime() <= Date.now(),
        )
        if (isCut && !isDatabaseError(error)) this.tally.cutByKills += 1
        else this.tally.unexpected.push(`${new Date().toISOString()} ${name}: ${failureCode(error)} ${String(error)}`)
      }
      await sleep(pause)
    }
  }

  /** A credential of the last second: the control plane hands out so many and no more. */
  async #credential(): Promise<string> {
    if (this.#kept === undefined || Date.now() - this.#keptSince > credentialKeptMs) {
      this.#keptSince = Date.now()
      this.#kept = this.#newCredential()
    }
    return this.#kept
  }

  async #newCredential(): Promise<string> {
    if (this.#application === undefined || Date.now() - this.#signedInAt > tokenLifeMs) {
      const { clientId, clientSecret } = this.#postern.ready.servicePrincipal
      this.#signedInAt = Date.now()
      this.#application = await this.#postern.asServicePrincipal(clientId, clientSecret)
    }
    return this.#application.mintCredential('sample')
  }

  async #open(what: string, user = this.#postern.ready.servicePrincipal.clientId) {
    const applicationName = `${what} ${randomUUID()}`
    const { database } = this.#postern.ready
    const credential = await this.#credential()
    const session = await openGatewaySession(this.#postern, {
      instance: 'sample',
      user,
      credential,
      database,
      applicationName,
    })
    this.tally.opened.add(applicationName)
    return session
  }

  async #openRaw(what: string) {
    const applicationName = `${what} ${randomUUID()}`
    const { gatewayHost, gatewayPort, servicePrincipal, database } = this.#postern.ready
    const credential = await this.#credential()
    const client = await RawPgClient.openTls(gatewayHost, gatewayPort, { ca: this.#postern.ca, serverName })
    try {
      const parameters = { user: servicePrincipal.clientId, database, application_name: applicationName }
      const messages = await client.logIn(parameters, credential)
      const last = messages.at(-1)
      if (last?.type === 'E') throw Object.assign(new Error(errorOf(last).message), { code: errorOf(last).sqlstate })
      this.tally.opened.add(applicationName)
      return { client, key: backendKeyOf(messages) }
    } catch (error) {
      client.destroy()
      throw error
    }
  }

  async #queries(): Promise<void> {
    const session = await this.#open('queries')
    for (let i = 0; i < 5; i++) {
      const { rows } = await session.query('select $1::int + 1 as next', [i])
      check(rows[0].next === i + 1, 'a wrong answer')
    }
    await session.end()
  }

  async #rows(): Promise<void> {
    const n = ++this.#row
    const session = await this.#open('rows')
    await session.query('begin')
    await session.query('insert into public.churn values ($1, $2)', [n, `row ${n}`])
    await session.query('commit')
    await session.end()
    const again = await this.#open('rows')
    const { rows } = await again.query('delete from public.churn where n = $1 returning text', [n])
    check(rows[0]?.text === `row ${n}`, 'a committed row was lost')
    await again.end()
  }

  async #cancel(): Promise<void> {
    const { client, key } = await this.#openRaw('cancel')
    const asleep = client.query('select pg_sleep(20)', 15_000)
    const outcome = asleep.then(
      () => 'slept',
      (error: Error) => error.message,
    )
    // A request that comes before the query has begun cancels nothing.
    await sleep(500)
    const { gatewayHost, gatewayPort } = this.#postern.ready
    const canceller = await RawPgClient.openTls(gatewayHost, gatewayPort, { ca: this.#postern.ca, serverName })
    await canceller.write(cancelRequest(key))
    await canceller.readToEnd()
    const said = await outcome
    client.destroy()
    if (!said.startsWith('57014')) throw new Error(`a cancelled query said: ${said}`)
  }

  async #vanish(): Promise<void> {
    const { client } = await this.#openRaw('vanish')
    client.query("select repeat('x', 1000000) from generate_series(1, 100)").catch(() => undefined)
    await sleep(Math.random() * 50)
    client.destroy()
  }

  async #copyOut(): Promise<void> {
    const { client } = await this.#openRaw('copy out')
    await client.write(
      message('Q', Buffer.from('copy (select g, md5(g::text) from generate_series(1, 5000) g) to stdout\0')),
    )
    const messages = await client.readUntil('Z', 20_000)
    check(messages.filter(({ type }) => type === 'd').length === 5_000, 'COPY out lost rows')
    client.destroy()
  }

  async #copyIn(): Promise<void> {
    const { client } = await this.#openRaw('copy in')
    await client.query('create temp table incoming (n int, t text)')
    await client.write(message('Q', Buffer.from('copy incoming from stdin\0')))
    await client.readUntil('G')
    const rows = Array.from({ length: 1_000 }, (_, i) => `${i}\t${'y'.repeat(100)}\n`).join('')
    for (let i = 0; i < 5; i++) await client.write(message('d', Buffer.from(rows)))
    await client.write(message('c', Buffer.alloc(0)))
    await client.readUntil('Z', 20_000)
    check((await client.query('select count(*) from incoming'))[0]?.[0] === '5000', 'COPY in lost rows')
    client.destroy()
  }

  async #expired(): Promise<void> {
    const claims = JSON.parse(
      Buffer.from((await this.#credential()).split('.')[1] as string, 'base64url').toString(),
    ) as JwtClaims
    const exp = Math.floor(Date.now() / 1000) - 60
    await this.#mustRefuse(this.#forge.credential({ iat: exp - 3600, exp }, claims), /expired 1 minute/)
  }

  #wrongPassword(): Promise<void> {
    return this.#mustRefuse('a wrong password', /password authentication failed/)
  }

  async #mustRefuse(
    credential: string,
    words: RegExp,
    user = this.#postern.ready.servicePrincipal.clientId,
  ): Promise<void> {
    const { database } = this.#postern.ready
    try {
      await (await openGatewaySession(this.#postern, { instance: 'sample', user, credential, database })).end()
    } catch (error) {
      if (words.test(String(error))) return
      throw error
    }
    throw new Error('a login was allowed that must be refused')
  }

  async #membership(): Promise<void> {
    const { clientId } = this.#postern.ready.servicePrincipal
    const session = await this.#open('group', group)
    await this.#forge.removeMember(group, clientId)
    try {
      await this.#mustRefuse(await this.#credential(), /not a member of/, group)
      check((await session.query('select 1 as one')).rows[0].one === 1, 'a session ended with its membership')
    } finally {
      await this.#forge.addMember(group, clientId)
    }
    await session.end()
    await (await this.#open('group', group)).end()
  }
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw Object.assign(new Error(otherwise), { code: 'WRONG' })
}

/** What the server or a check of ours said, in contrast to a broken connection. */
function isDatabaseError(error: unknown): boolean {
  const code = failureCode(error)
  return /^[0-9A-Z]{5}$/.test(code) && !['57P01', '57P02', '08006'].includes(code)
}
