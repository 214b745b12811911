import { setTimeout as sleep } from 'node:timers/promises'
import { serialize } from 'pg-protocol'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { RawPgClient } from '../support/raw-pg-client.ts'
import { rowOf } from '../support/raw-pg-messages.ts'
import { transports } from '../../src/transport/transports.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'
import { describeDemo } from './global-setup.ts'

/** How sessions end and what they carry, byte by byte, on every transport. */
describe.each(Object.keys(transports))('a session on the sockets of %s', (transport) => {
  let gateway = inject('gateway')
  let watcher: RawPgClient
  let postern: RunningPostern<DemoReadyFile> | undefined
  beforeAll(async () => {
    if (transport !== 'bun') {
      postern = await startDemo({ flags: ['--gateway-transport', transport] })
      gateway = await describeDemo(postern)
    }
    watcher = await logIn('watcher')
  })
  afterAll(async () => {
    watcher?.destroy()
    await postern?.stop()
  })

  async function logIn(application: string): Promise<RawPgClient> {
    const tls = { ca: gateway.ca, serverName: gateway.serverName }
    const client = await RawPgClient.openTls(gateway.host, gateway.port, tls)
    const parameters = { user: gateway.user, database: gateway.database, application_name: application }
    const messages = await client.logIn(parameters, gateway.credential)
    expect(messages.at(-1)?.type).toBe('Z')
    return client
  }
  const upstreamSessions = async (application: string) => {
    const [[count] = []] = await watcher.query(
      `select count(*) from pg_stat_activity where application_name = '${application}'`,
    )
    return Number(count)
  }

  test('half-closed by the client after its last query still gets the whole answer', async () => {
    const client = await logIn('half-close')
    await client.write(serialize.query("select repeat('x', 1000) from generate_series(1, 5000)"))
    client.halfClose()
    const messages = await client.readUntil('Z', 20_000)
    expect(messages.filter((one) => one.type === 'D')).toHaveLength(5000)
    await client.readToEnd()
    await expect.poll(() => upstreamSessions('half-close')).toBe(0)
  })

  test('that ends with Terminate is closed on both sides', async () => {
    const client = await logIn('terminate')
    expect(await upstreamSessions('terminate')).toBe(1)
    await client.write(serialize.end())
    expect(await client.readToEnd()).toHaveLength(0)
    await expect.poll(() => upstreamSessions('terminate')).toBe(0)
  })

  test('cut without the goodbye of TLS leaves nothing behind, idle or in a transaction', async () => {
    for (const sql of ['select 1', 'begin; create table public.never (n int)']) {
      const client = await logIn('cut')
      await client.query(sql)
      client.cut()
      await expect.poll(() => upstreamSessions('cut')).toBe(0)
    }
    expect(await watcher.query("select to_regclass('public.never')")).toEqual([[null]])
  })

  test('cut while its answer is on the way leaves nothing behind', async () => {
    const client = await logIn('cut-busy')
    await client.write(serialize.query("select repeat('x', 1000) from generate_series(1, 10000000)"))
    await client.readMessage()
    client.pause()
    await sleep(200)
    client.cut()
    await expect.poll(() => upstreamSessions('cut-busy'), { timeout: 10_000 }).toBe(0)
  })

  test('pipelines a thousand extended queries, errors among them, in one write', async () => {
    const client = await logIn('pipeline')
    const one = (text: string) => [
      serialize.parse({ text }),
      serialize.bind({}),
      serialize.describe({ type: 'P' }),
      serialize.execute({}),
      serialize.sync(),
    ]
    const queries = Array.from({ length: 1000 }, (_, i) => (i % 10 === 9 ? 'select 1/0' : `select ${i}`))
    await client.write(Buffer.concat(queries.flatMap(one)))
    const rows: string[] = []
    let errors = 0
    for (let synced = 0; synced < 1000;) {
      const message = await client.readMessage()
      if (message.type === 'Z') synced++
      if (message.type === 'D') rows.push(rowOf(message)[0] ?? '')
      if (message.type === 'E') errors++
    }
    expect(errors).toBe(100)
    expect(rows).toEqual(queries.filter((_, i) => i % 10 !== 9).map((text) => text.slice('select '.length)))
    client.destroy()
  })

  test('carries one message of 64 MB', async () => {
    const client = await logIn('large')
    const size = 64_000_000
    await client.write(serialize.query(`select length('${'x'.repeat(size)}')`))
    const answer = await client.readUntil('Z', 30_000)
    expect(answer.filter((one) => one.type === 'D').map(rowOf)).toEqual([[String(size)]])
    client.destroy()
  })

  test('answers after it was idle', async () => {
    const client = await logIn('idle')
    await sleep(500)
    expect(await client.query('select 1')).toEqual([['1']])
    client.destroy()
  })
})
