import { mutate, type Random } from './random.ts'

const names = [
  'user',
  'database',
  'options',
  'application_name',
  'replication',
  'client_encoding',
  '_pq_.x',
  'USER',
  '',
]
const words = [
  'endpoint=sample',
  'endpoint=other',
  'endpoint=',
  '-c',
  '-c postern.instance=sample',
  '-cpostern.instance=other',
  '--postern.instance=sample',
  '-c search_path=a,b',
  '--geqo=off',
  'endpoint\\=sample',
  '\\',
  '\\ ',
  'x',
  '-',
  'é\u2028\u{1f600}',
]
const hosts = ['sample.gw.test', 'other.gw.test', 'gw.test', '.gw.test', 'a.b.gw.test', 'elsewhere.test', '', '.', '..']
const spaces = [' ', '  ', '\t', '\n', '\v', '\f', '\r', '\u00a0', '']

/** What may stand in `options`: words with a meaning to us, and nonsense. */
export function optionsText(random: Random): string {
  let text = ''
  for (let n = random.int(6); n >= 0; n--) text += random.pick(spaces) + random.pick(words)
  return random.chance(30) ? mutate(random, Buffer.from(text)).toString('utf8') : text
}

/** A host name that a client might send by SNI. */
export function serverName(random: Random): string | undefined {
  if (random.chance(20)) return undefined
  const name = random.pick(hosts)
  return random.chance(30) ? mutate(random, Buffer.from(name)).toString('latin1') : name
}

function databaseName(random: Random): string {
  return random.pick(['sales', 'sample/sales', 'other/sales', '/', 'sample/', 'a/b/c', 'Sample/x', '-/x', 'ü/x', ''])
}

/** Name and value pairs of a StartupMessage, repeated, empty and out of order. */
export function startupPairs(random: Random): [string, string][] {
  const pairs: [string, string][] = random.chance(90) ? [['user', random.pick(['ana', 'b', 'ü'])]] : []
  for (let n = random.int(6); n > 0; n--) {
    const name = random.pick(names)
    const value =
      name === 'options'
        ? optionsText(random)
        : name === 'database'
          ? databaseName(random)
          : random.pick(['', 'true', 'off', 'x', 'ana'])
    pairs.push([name, value])
  }
  return pairs
}

/** A StartupMessage of these pairs, its length right. */
function startupPacket(pairs: readonly (readonly [string, string])[], version: number): Buffer {
  const body = Buffer.from(pairs.map(([name, value]) => `${name}\0${value}\0`).join('') + '\0')
  const packet = Buffer.concat([Buffer.alloc(8), body])
  packet.writeInt32BE(packet.length)
  packet.writeInt32BE(version, 4)
  return packet
}

const versions = [3 << 16, (3 << 16) | 2, (3 << 16) | 9999, 2 << 16, 4 << 16, 80877102, 80877103, 80877104, 0, -1]

/** What a client may send first: whole, damaged, or nothing of the kind. */
export function firstPacket(random: Random): Buffer {
  if (random.chance(5)) return random.bytes(random.int(64))
  const version = random.chance(60) ? 3 << 16 : random.pick(versions)
  const packet =
    version === 80877102 && random.chance(80)
      ? cancelPacket(random)
      : startupPacket(version > 80000000 && random.chance(80) ? [] : startupPairs(random), version)
  return random.chance(60) ? mutate(random, packet) : packet
}

function cancelPacket(random: Random): Buffer {
  const packet = Buffer.concat([Buffer.alloc(8), random.bytes(4 + random.pick([0, 3, 4, 32, 256, 257]))])
  packet.writeInt32BE(packet.length)
  packet.writeInt32BE(80877102, 4)
  return packet
}

/** A PasswordMessage or another typed message, its length right or nearly so. */
export function typedMessage(random: Random, password: string): Buffer {
  const body = Buffer.from(`${password}\0`)
  const message = Buffer.concat([
    Buffer.from(random.chance(80) ? 'p' : random.pick([...'QXBEPSdc\0'])),
    Buffer.alloc(4),
    body,
  ])
  message.writeInt32BE(body.length + 4, 1)
  return random.chance(60) ? mutate(random, message) : message
}

/**
 * A token made from a good one: characters changed, parts swapped, other headers and claims under the old signature. Never one
 * that means the same as the good one.
 */
export function forgedToken(random: Random, good: string): string {
  for (;;) {
    const forged = forge(random, good)
    if (meaningOf(forged) !== meaningOf(good)) return forged
  }
}

/** base64url has more than one spelling for the same bytes: what counts is what they are. */
export function meaningOf(token: string): string {
  return token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('base64url'))
    .join('.')
}

function forge(random: Random, good: string): string {
  const [header = '', payload = '', signature = ''] = good.split('.')
  const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  switch (random.int(6)) {
    case 0: {
      const changes = [
        { alg: 'none' },
        { alg: 'HS256' },
        { typ: 'JWT' },
        { kid: 'x' },
        { kid: 1 },
        { crit: [] },
        { jku: 'x' },
      ]
      return `${encoded({ ...decoded(header), ...random.pick<object>(changes) })}.${payload}.${random.chance(50) ? signature : ''}`
    }
    case 1: {
      const changes = [{ exp: 9e12 }, { sub: '1' }, { aud: [] }, { iss: 'x' }, { exp: 'x' }, { iat: null }, { jti: 7 }]
      return `${header}.${encoded({ ...decoded(payload), ...random.pick<object>(changes) })}.${signature}`
    }
    case 2:
      return `${header}.${payload}.${random.bytes(random.pick([0, 63, 64, 65, 72])).toString('base64url')}`
    case 3:
      return random.pick([
        `${payload}.${header}.${signature}`,
        `${header}.${payload}`,
        `${good}.x`,
        ` ${good}`,
        '..',
        '',
      ])
    default:
      return mutate(random, Buffer.from(good)).toString('latin1')
  }
}
