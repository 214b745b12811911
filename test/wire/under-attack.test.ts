import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type GatewayFixture, startGatewayFixture } from '../support/gateway-fixture.ts'
import { RawPgClient } from '../support/raw-pg-client.ts'
import {
  backendKeyOf,
  cancelRequest,
  errorOf,
  message,
  sslRequest,
  startupMessage,
} from '../support/raw-pg-messages.ts'

let fixture: GatewayFixture
const clients: RawPgClient[] = []

const at = () => ['127.0.0.1', fixture.gateway.port] as const
const open = async () => {
  const client = await RawPgClient.open(...at())
  clients.push(client)
  return client
}
const openSecure = async () => {
  const client = await RawPgClient.openTls(...at(), { ca: fixture.caPem })
  clients.push(client)
  return client
}
const parameters = (change: Record<string, string> = {}) => ({
  user: fixture.login.clientId,
  database: 'postgres',
  ...change,
})
const logIn = async () => {
  const client = await openSecure()
  const messages = await client.logIn(parameters(), fixture.login.credential)
  expect(messages.at(-1)?.type).toBe('Z')
  return client
}
const openSockets = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false // closed meanwhile
    }
  }).length
const expectNothingHeld = async () => {
  await expect
    .poll(() => [fixture.gateway.preAuthSockets, fixture.gateway.openSessions, fixture.gateway.cancelKeys], {
      timeout: 10_000,
    })
    .toEqual([0, 0, 0])
}

const destroyClients = () => {
  for (const client of clients.splice(0)) client.destroy()
}
afterEach(destroyClients)

describe('a gateway under attack', () => {
  beforeAll(async () => {
    fixture = await startGatewayFixture()
  })
  afterAll(() => fixture?.stop())

  test('holds no socket, no session and no cancel key of thousands of logins that failed, in every way that they can', async () => {
    const { clientId, credential } = fixture.login
    const password = (text: string) => message('p', Buffer.from(`${text}\0`))
    const startup = startupMessage(parameters())
    const secure = async (...pieces: Uint8Array[]) => {
      const client = await openSecure()
      await client.write(Buffer.concat(pieces))
      return client
    }
    const attempts: Record<string, () => Promise<RawPgClient>> = {
      'wrong password': () => secure(startup, password('wrong')),
      'tampered credential': () => secure(startup, password(`${credential.slice(0, -4)}AAAA`)),
      'role of nobody': () => secure(startupMessage(parameters({ user: 'nobody' })), password(credential)),
      'unknown instance': () => secure(startupMessage(parameters({ options: 'endpoint=gone' })), password(credential)),
      'conflicting instances': () => secure(startupMessage(parameters({ database: 'one/d', options: 'endpoint=two' }))),
      'unknown database': () => secure(startupMessage(parameters({ database: 'nowhere' })), password(credential)),
      'setting that the database refuses': () =>
        secure(startupMessage(parameters({ nonsense: 'x' })), password(credential)),
      'no password message': () => secure(startup, message('Q', Buffer.from('select 1\0'))),
      'password that never ends': () => secure(startup, Buffer.from('p\0\0\xff\xff half of it', 'latin1')),
      replication: () => secure(startupMessage(parameters({ replication: 'true' }))),
      'garbage inside TLS': () => secure(Buffer.from('GET / HTTP/1.1\r\n\r\n')),
      'plaintext startup': async () => {
        const client = await open()
        await client.write(startup)
        return client
      },
      'garbage in clear': async () => {
        const client = await open()
        await client.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
        return client
      },
      'garbage instead of TLS': async () => {
        const client = await open()
        await client.write(sslRequest)
        await client.readBytes(1)
        await client.write(Buffer.from('this is no ClientHello at all, and long enough to see it'))
        return client
      },
      'gone right after the password': async () => {
        const client = await secure(startup, password(credential))
        client.destroy()
        return client
      },
      'half-closed right after the password': async () => {
        const client = await secure(startup, password(credential))
        client.halfClose()
        return client
      },
      'cancellation of nothing': async () => {
        const client = await open()
        await client.write(cancelRequest({ processId: 1, secret: Buffer.from('abcd') }))
        return client
      },
      'session that is cut': async () => {
        const client = await secure(startup, password(credential))
        await client.readUntil('Z')
        client.destroy()
        return client
      },
    }
    const round = async (): Promise<void> => {
      const opened = await Promise.all(Object.values(attempts).map((attempt) => attempt()))
      await sleep(5)
      for (const client of opened) client.destroy()
      clients.length = 0
    }
    await round()
    await expectNothingHeld()
    await sleep(1_200)
    const before = openSockets()
    for (let i = 0; i < 112; i++) await round()
    await expectNothingHeld()
    await expect.poll(openSockets, { timeout: 10_000 }).toBeLessThanOrEqual(before)
    const { rows } = await fixture.store.pool.query(
      'select count(*)::int as n from audit_event where actor_name = $1',
      [clientId],
    )
    expect(rows[0].n).toBeGreaterThan(112)
    await logIn()
  }, 60_000)

  test('never relays a stream of which it lost a part: a flood behind the password ends the login', async () => {
    const client = await openSecure()
    await client.write(startupMessage(parameters()))
    await client.readMessage()
    const flood = Buffer.concat(
      Array.from({ length: 3000 }, (_, i) => message('Q', Buffer.from(`select ${i}${' '.repeat(600)}\0`))),
    )
    await client.write(Buffer.concat([message('p', Buffer.from(`${fixture.login.credential}\0`)), flood]))
    const answer = await client.readUntil('ZE')
    expect(errorOf(answer.at(-1)!)).toMatchObject({ severity: 'FATAL', sqlstate: '08P01' })
  })

  test('relays what came glued behind the password only after the login, in order', async () => {
    const client = await openSecure()
    await client.write(
      Buffer.concat([
        startupMessage(parameters()),
        message('p', Buffer.from(`${fixture.login.credential}\0`)),
        message('Q', Buffer.from('select session_user\0')),
      ]),
    )
    const greeting = await client.readUntil('ZE')
    expect(greeting.at(-1)?.type).toBe('Z')
    const answer = await client.readUntil('Z')
    expect(answer.find(({ type }) => type === 'D')?.body.toString()).toContain(fixture.login.clientId)
  })

  test('hands nothing to the upstream of what came behind a password that was wrong', async () => {
    const client = await openSecure()
    await client.write(
      Buffer.concat([
        startupMessage(parameters()),
        message('p', Buffer.from('wrong\0')),
        message('Q', Buffer.from('select pg_advisory_lock(7777)\0')),
      ]),
    )
    expect(errorOf((await client.readUntil('ZE')).at(-1)!).sqlstate).toBe('28P01')
    const superuser = await fixture.upstream.superuser()
    const { rows } = await superuser.query(`select from pg_locks where locktype = 'advisory'`)
    await superuser.end()
    expect(rows).toEqual([])
  })

  test('does not let one address fill the audit trail with refusals, and refuses the same', async () => {
    const refuse = async () => {
      const client = await RawPgClient.openTls(...at(), { ca: fixture.caPem })
      const answer = (await client.logIn(parameters({ user: 'flood' }), 'guess')).at(-1)!
      client.destroy()
      return errorOf(answer).message
    }
    const sentences = new Set<string>()
    for (let batch = 0; batch < 30; batch++) {
      const refused = await Promise.all(Array.from({ length: 50 }, refuse))
      for (const sentence of refused) sentences.add(sentence)
    }
    expect([...sentences]).toEqual(['password authentication failed for user "flood"'])
    const { rows } = await fixture.store.pool.query(
      `select reason from audit_event where action = 'login' and detail->>'roleName' = 'flood'`,
    )
    const reasons = rows.map(({ reason }) => reason)
    expect(reasons).toContain('MORE_OF_THESE_ARE_NOT_RECORDED')
    expect(reasons.length).toBeLessThanOrEqual(1202)
  })

  test('asks other workers about few of the cancel keys that one address makes up', async () => {
    fixture.broadcasts.length = 0
    for (let batch = 0; batch < 40; batch++) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const client = await RawPgClient.open(...at())
          await client.write(cancelRequest({ processId: batch, secret: Buffer.from([0, 0, batch, i]) }))
          await client.readToEnd()
          client.destroy()
        }),
      )
    }
    expect(fixture.broadcasts.length).toBeGreaterThan(0)
    expect(fixture.broadcasts.length).toBeLessThanOrEqual(600)
  })
})

describe('a gateway with few places', () => {
  beforeAll(async () => {
    fixture = await startGatewayFixture({ settings: { maxPreAuth: 20, loginTimeoutMs: 8_000 } })
  })
  afterAll(() => fixture?.stop())

  test('cannot be filled with half-open sockets so that nobody else gets in', async () => {
    for (let i = 0; i < 60; i++) await open()
    expect(fixture.gateway.preAuthSockets).toBeLessThanOrEqual(20)
    await logIn()
    expect(fixture.gateway.preAuthSockets).toBeLessThanOrEqual(20)
  })
})

describe('a gateway with few sessions', () => {
  beforeAll(async () => {
    fixture = await startGatewayFixture({ settings: { maxSessions: 5, maxSessionsPerPrincipal: 3 } })
  })
  afterAll(() => fixture?.stop())
  afterEach(async () => {
    destroyClients()
    await expectNothingHeld()
  })

  /** What each of so many logins at the same moment reads: `Z`, or why it was refused. */
  const logInTogether = async (count: number) => {
    const answers = await Promise.all(
      Array.from({ length: count }, async () => {
        const client = await openSecure()
        return (await client.logIn(parameters(), fixture.login.credential)).at(-1)!
      }),
    )
    return answers.map((answer) => (answer.type === 'Z' ? 'Z' : errorOf(answer)))
  }

  test('gives one principal its share of them, also to logins at the same moment, and says so', async () => {
    const answers = await logInTogether(12)
    expect(answers.filter((answer) => answer === 'Z')).toHaveLength(3)
    const refused = answers.find((answer) => answer !== 'Z')
    expect(refused).toMatchObject({
      severity: 'FATAL',
      sqlstate: '53300',
      message: 'too many sessions: this principal has 3, and may have no more in one worker of the gateway',
    })
    const records = async () =>
      (
        await fixture.store.pool.query(
          `select action, outcome, reason, count(*)::int as n from audit_event where action in ('login', 'session.start')
            group by action, outcome, reason order by action, outcome`,
        )
      ).rows
    await expect.poll(records).toEqual([
      { action: 'login', outcome: 'allowed', reason: null, n: 12 },
      { action: 'session.start', outcome: 'allowed', reason: null, n: 3 },
      { action: 'session.start', outcome: 'failed', reason: 'TOO_MANY_SESSIONS', n: 9 },
    ])
  })

  test('gives a place back when its session ends, or never comes to be', async () => {
    for (let round = 0; round < 3; round++) {
      const client = await openSecure()
      const answer = await client.logIn(parameters({ database: 'nowhere' }), fixture.login.credential)
      expect(errorOf(answer.at(-1)!).sqlstate).toBe('3D000')
    }
    expect((await logInTogether(3)).every((answer) => answer === 'Z')).toBe(true)
  })
})

describe('an upstream that is slow', () => {
  /** `unhurried`: its first answer takes a while. `late`: its first answer comes when the login is over already. `silent`: and nothing after the TLS handshake. */
  let manner: 'prompt' | 'unhurried' | 'late' | 'silent' = 'prompt'
  let relay: ReturnType<typeof createServer>
  beforeAll(async () => {
    fixture = await startGatewayFixture({
      settings: { loginTimeoutMs: 1_000 },
      async source(source) {
        relay = createServer((near) => {
          const far = connect(source.port, '127.0.0.1')
          const [isLate, isSilent] = [manner !== 'prompt', manner === 'silent']
          const delayMs = manner === 'unhurried' ? 300 : 1_500
          let flights = 0
          for (const socket of [near, far]) socket.on('error', () => undefined)
          near.on('close', () => far.destroy())
          far.on('close', () => near.destroy())
          near.on('data', (chunk) => {
            flights += 1
            if (!isSilent || flights <= 3) far.write(chunk)
          })
          far.on('data', (chunk) => {
            if (isLate && flights === 1) setTimeout(() => near.write(chunk), delayMs)
            else if (!isSilent || flights <= 2) near.write(chunk)
          })
        })
        relay.listen(0, '127.0.0.1')
        await once(relay, 'listening')
        return { port: (relay.address() as AddressInfo).port }
      },
    })
  })
  afterAll(async () => {
    await fixture?.stop()
    relay?.close()
  })

  test.each(['late', 'silent'] as const)(
    'and %s keeps no login for ever: the client is told, and nothing is held',
    async (how) => {
      manner = how
      const client = await openSecure()
      const answer = await client.logIn(parameters(), fixture.login.credential)
      expect(errorOf(answer.at(-1)!)).toMatchObject({
        severity: 'FATAL',
        message: 'the login was not finished in time',
      })
      await client.readToEnd()
      await expectNothingHeld()
      manner = 'prompt'
      await logIn()
    },
  )

  test('leaves a record of the session that did not come to be because its client was gone by then', async () => {
    manner = 'unhurried'
    const client = await openSecure()
    await client.write(startupMessage(parameters()))
    await client.readMessage()
    await client.write(message('p', Buffer.from(`${fixture.login.credential}\0`)))
    await sleep(100)
    client.destroy()
    await expectNothingHeld()
    const withoutStart = async () =>
      (
        await fixture.store.pool.query(
          `select session_id from audit_event where action = 'login' and outcome = 'allowed' and session_id not in
            (select session_id from audit_event where action = 'session.start')`,
        )
      ).rows
    await expect.poll(withoutStart, { timeout: 5_000 }).toEqual([])
    const { rows } = await fixture.store.pool.query(`select outcome from audit_event where reason = 'CLIENT_GONE'`)
    expect(rows).toEqual([{ outcome: 'failed' }])
    manner = 'prompt'
  })

  test('lets no address hold all the places of cancel requests: those of others are passed on', async () => {
    manner = 'prompt'
    const [target, victim] = [await openSecure(), await openSecure()]
    const keys = []
    for (const client of [target, victim]) {
      keys.push(backendKeyOf(await client.logIn(parameters(), fixture.login.credential)))
    }
    const query = victim.query('select pg_sleep(20)', 15_000).catch((error: Error) => error.message)
    await sleep(300)
    manner = 'silent'
    for (let i = 0; i < 100; i++) await (await open()).write(cancelRequest(keys[0]!))
    await sleep(300)
    manner = 'prompt'
    const other = connect({ host: '127.0.0.1', port: fixture.gateway.port, localAddress: '127.0.0.2' })
    other.write(cancelRequest(keys[1]!))
    expect(await query).toContain('57014')
    other.destroy()
  })
})
