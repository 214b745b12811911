import { serialize } from 'pg-protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RawPgClient } from '../support/raw-pg-client.ts'
import { message, type RawMessage } from '../support/raw-pg-messages.ts'
import { describeWith } from '../support/requirements.ts'
import { type BothWays, startBothWays } from './both-ways.ts'

const sync = serialize.sync()
const { parse, bind, describe: describeMessage, execute, query, close } = serialize
const int4 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const int2 = (value: number) => int4(value).subarray(2)

/** What is sent in one go, and how many ReadyForQuery answer it; none: the server ends the session. */
const conversations: Record<string, { readonly bytes: readonly Uint8Array[]; readonly ready: number }> = {
  'the extended protocol, in binary both ways': {
    bytes: [
      parse({ name: 's', text: 'select $1 + 1, $2', types: [23, 17] }),
      describeMessage({ type: 'S', name: 's' }),
      bind({ statement: 's', values: [int4(41), Buffer.from([0, 255])], binary: true }),
      describeMessage({ type: 'P' }),
      execute({}),
      close({ type: 'S', name: 's' }),
      sync,
    ],
    ready: 1,
  },
  'a portal that is read in parts': {
    bytes: [
      parse({ text: 'select n from generate_series(1, 5) n' }),
      bind({ portal: 'p' }),
      ...[2, 2, 2].map((rows) => execute({ portal: 'p', rows })),
      close({ type: 'P', name: 'p' }),
      sync,
    ],
    ready: 1,
  },
  'errors in the middle of a pipeline': {
    bytes: ['select 1', 'select 1/0', 'selct', 'select 2'].flatMap((text) => [
      parse({ text }),
      bind({}),
      describeMessage({ type: 'P' }),
      execute({}),
      sync,
    ]),
    ready: 4,
  },
  'everything behind an error is skipped up to Sync': {
    bytes: [
      bind({ statement: 'missing' }),
      execute({}),
      query('select 1'),
      parse({ text: 'select 2' }),
      sync,
      query('select 3'),
    ],
    ready: 2,
  },
  'simple and extended queries mixed, empty ones among them': {
    bytes: [
      query(''),
      query(';;'),
      parse({ text: '' }),
      bind({}),
      execute({}),
      sync,
      query('select 1; select 2; select'),
    ],
    ready: 4,
  },
  'function calls': {
    bytes: [
      message(
        'F',
        Buffer.concat([int4(177), int2(1), int2(1), int2(2), int4(4), int4(20), int4(4), int4(22), int2(1)]),
      ),
      message('F', Buffer.concat([int4(1), int2(0), int2(0), int2(0)])),
    ],
    ready: 2,
  },
  'COPY in, done, failed, and garbled': {
    bytes: [
      query('create temp table c (n int)'),
      query('copy c from stdin'),
      serialize.copyData(Buffer.from('1\n2\n')),
      serialize.copyDone(),
      query('copy c from stdin'),
      serialize.copyData(Buffer.from('3\n')),
      serialize.copyFail('changed my mind'),
      query('copy c from stdin'),
      serialize.copyData(Buffer.from('x\n')),
      serialize.copyDone(),
      query('copy c to stdout'),
      query('copy c to stdout (format binary)'),
    ],
    ready: 6,
  },
  'COPY data that nobody asked for': {
    bytes: [serialize.copyData(Buffer.from('1\n')), serialize.copyDone(), query('select 1')],
    ready: 1,
  },
  'reports of settings, notices and notifications': {
    bytes: [
      query("set application_name = 'x'; set timezone = 'UTC'"),
      query("do $$ begin raise notice 'n'; raise warning 'w'; end $$"),
      query('begin; set local datestyle = german; rollback'),
    ],
    ready: 3,
  },
  'a message of no known type': { bytes: [query('select 1'), message('y', Buffer.from('?'))], ready: 0 },
  'a query that is no text': { bytes: [message('Q', Buffer.from('select 1'))], ready: 1 },
  'a Bind that lies about its lengths': {
    bytes: [parse({ text: 'select $1::int' }), message('B', Buffer.from([0, 0, 0, 0, 0, 9, 0, 0])), sync],
    ready: 1,
  },
  'a wrong length': { bytes: [Buffer.from([0x51, 0, 0, 0, 3])], ready: 0 },
  'an absurd length': { bytes: [Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff])], ready: 0 },
  'a goodbye': { bytes: [query('select 1'), serialize.end()], ready: 0 },
}

describeWith(['openssl'], 'message by message, through the gateway as directly:', () => {
  let ways: BothWays
  beforeAll(async () => {
    ways = await startBothWays()
    await ways.reset()
  })
  afterAll(() => ways?.stop())

  async function openDirect(): Promise<{ client: RawPgClient; greeting: RawMessage[] }> {
    const { user, directPort, directCa } = ways.login
    const client = await RawPgClient.openTls('127.0.0.1', directPort, { ca: directCa, serverName: 'localhost' })
    await client.startup({ user, database: 'regress' })
    return { client, greeting: await client.readUntil('ZE') }
  }

  async function openGateway(): Promise<{ client: RawPgClient; greeting: RawMessage[] }> {
    const { user, credential } = ways.login
    const { gatewayHost, gatewayPort } = ways.postern.ready
    const client = await RawPgClient.openTls(gatewayHost, gatewayPort, {
      ca: ways.postern.ca,
      serverName: 'regress-db.postern.localhost',
    })
    const [askedForPassword, ...greeting] = await client.logIn({ user, database: 'regress' }, credential)
    expect(askedForPassword?.type).toBe('R')
    return { client, greeting }
  }

  test('the greeting: the same settings are reported in the same order', async () => {
    const direct = await openDirect()
    const gateway = await openGateway()
    // The cancel key is the gateway's own.
    const shown = ({ greeting }: { greeting: RawMessage[] }) => greeting.filter(({ type }) => type !== 'K').map(show)
    expect(shown(gateway)).toEqual(shown(direct))
    expect(shown(direct).length).toBeGreaterThan(10)
    direct.client.destroy()
    gateway.client.destroy()
  })

  test.each(Object.entries(conversations))('%s', async (_title, { bytes, ready }) => {
    const answers = async ({ client }: { client: RawPgClient }): Promise<string[]> => {
      await client.write(Buffer.concat(bytes))
      const all: string[] = []
      for (let n = 0; n < ready; n++) all.push(...(await client.readUntil('Z')).map(show))
      if (ready === 0) all.push((await client.readToEnd()).toString('latin1'))
      client.destroy()
      return all
    }
    const direct = await answers(await openDirect())
    const gateway = await answers(await openGateway())
    expect(gateway).toEqual(direct)
  })
})

function show({ type, body }: RawMessage): string {
  return `${type} ${body.toString('latin1')}`
}
