import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { PosternError } from '../../src/base/errors.ts'
import type { WorkspaceId } from '../../src/base/ids.ts'
import { type JwtClaims, SigningKeyPair, signJwt, verifyJwt } from '../../src/crypto/jwt.ts'
import type { TlsStartup } from '../../src/gateway/negotiate.ts'
import { resolveTarget } from '../../src/gateway/resolve-target.ts'
import { readPasswordMessage, writeStartupMessage } from '../../src/pgwire/frontend-messages.ts'
import { MessageReader, type WireMessage } from '../../src/pgwire/message-reader.ts'
import { parseStartupOptions } from '../../src/pgwire/startup-options.ts'
import { parseFirstPacket, readPacketLength } from '../../src/pgwire/startup-packet.ts'
import { firstPacket, forgedToken, meaningOf, optionsText, serverName, startupPairs, typedMessage } from './inputs.ts'
import type { Random } from './random.ts'

/** One parser: makes an input, feeds it, and throws where a promise is broken. */
export interface FuzzedParser {
  readonly name: string
  /** Part of all inputs, in percent. */
  readonly share: number
  run(random: Random): void | Promise<void>
}

const type = 'postern-db+jwt'
const maxMessageLength = 65_535
const maxUnreadBytes = 1024 * 1024
const refusals = new Set(['TARGET_CONFLICT', 'INVALID_ARGUMENT', 'FEATURE_NOT_SUPPORTED'])

/** Every parser that reads what a stranger sent. */
export async function fuzzedParsers(): Promise<readonly FuzzedParser[]> {
  const key = SigningKeyPair.generate()
  const now = new Date()
  const iat = Math.floor(now.getTime() / 1000)
  const claims: JwtClaims = {
    iss: 'urn:postern:workspace:1',
    sub: '2',
    aud: ['urn:postern:instance:3'],
    iat,
    exp: iat + 3600,
    jti: 'j',
  }
  const good = signJwt(key, type, claims)
  const findKey = (kid: string) => (kid === key.kid ? key.publicKey : undefined)
  strictEqual(verifyJwt(good, type, findKey, now).ok, true)

  return [
    { name: 'first packet', share: 30, run: fuzzFirstPacket },
    { name: 'options', share: 20, run: fuzzOptions },
    { name: 'target', share: 20, run: fuzzTarget },
    { name: 'messages and password', share: 18, run: (random) => fuzzMessages(random, good) },
    {
      name: 'credential',
      share: 12,
      async run(random) {
        const token = forgedToken(random, good)
        const outcome = verifyJwt(token, type, findKey, now)
        // ECDSA has two signatures for each: what may never pass is anything that was not signed.
        const isSigned = meaningOf(token).startsWith(meaningOf(good).slice(0, good.lastIndexOf('.') + 1))
        if (outcome.ok) ok(isSigned, `accepted ${token}`)
        else ok(outcome.reason !== 'expired', `read as expired ${token}`)
      },
    },
  ]
}

function fuzzFirstPacket(random: Random): void {
  const bytes = firstPacket(random)
  const length = readPacketLength(bytes)
  ok(length === undefined || length === 'malformed' || (length >= 8 && length <= 10_000))
  const packet = parseFirstPacket(bytes)
  if (packet.kind === 'cancel') ok(packet.key.length >= 4 && packet.key.length <= 256)
  if (packet.kind !== 'startup') return
  strictEqual(length, bytes.length)
  ok(packet.user !== '' && packet.database !== '')
  let size = 0
  for (const [name, value] of packet.parameters) {
    ok(name !== '' && !name.includes('\0') && !value.includes('\0') && !name.startsWith('_pq_.'))
    size += Buffer.byteLength(name) + Buffer.byteLength(value)
  }
  ok(size <= bytes.length)
  // What would be written of it is read as the same again.
  const again = parseFirstPacket(writeStartupMessage(packet.parameters, packet.minor))
  deepStrictEqual(again.kind === 'startup' && [...again.parameters], [...packet.parameters])
}

function fuzzOptions(random: Random): void {
  const text = optionsText(random)
  const read = parseStartupOptions(text)
  if (!text.includes('\\')) {
    const named = new Set(endpointsWithoutEscapes(text))
    deepStrictEqual(new Set(read.kind === 'conflict' ? read.endpoints : named.size > 0 ? [read.endpoint] : []), named)
  }
  if (read.kind === 'conflict') {
    ok(new Set(read.endpoints).size > 1)
    return
  }
  // Nothing that names an instance is left for the database, and what is left stays as it is.
  const again = parseStartupOptions(read.forwarded)
  deepStrictEqual(again, { kind: 'options', endpoint: undefined, forwarded: read.forwarded })
}

/** The same by other means: `-c` is glued to what follows it, then each word either names an instance or does not. */
function endpointsWithoutEscapes(options: string): string[] {
  const glued = options.replaceAll(/(?<![^ \t\n\v\f\r])-c[ \t\n\v\f\r]+([^ \t\n\v\f\r]+)/g, '-c$1')
  const words = glued.split(/[ \t\n\v\f\r]+/)
  const names = words.map((word) => /^(?:endpoint=|-cpostern\.instance=|--postern\.instance=)(.+)$/s.exec(word)?.[1])
  return names.filter((name) => name !== undefined)
}

function fuzzTarget(random: Random): void {
  const parameters = new Map(startupPairs(random).filter(([name]) => name !== '' && !name.startsWith('_pq_.')))
  const user = parameters.get('user') || 'ana'
  const startup = {
    kind: 'startup',
    major: 3,
    minor: 0,
    user,
    database: parameters.get('database') || user,
    parameters,
    protocolOptions: [],
  } as const
  const name = serverName(random)
  const asked = { kind: 'startup', channel: undefined as never, startup, serverName: name } satisfies TlsStartup
  try {
    const target = resolveTarget(asked, (domain) => (domain === 'gw.test' ? ('1' as WorkspaceId) : undefined))
    ok(target.settings.every(([setting]) => setting !== 'user' && setting !== 'database' && setting !== 'replication'))
    ok(target.database !== '' && target.roleName === user)
    const byHost = target.workspaceId !== undefined
    // One label, not empty, before the gateway domain: that and nothing else names an instance.
    const label = /^([^.]+)\.gw\.test$/s.exec(name ?? '')?.[1]
    strictEqual(byHost, label !== undefined)
    // Whatever names an instance names this one.
    if (byHost) strictEqual(target.instanceName, label)
    const options = parseStartupOptions(parameters.get('options') ?? '')
    if (options.kind === 'options' && options.endpoint) strictEqual(target.instanceName, options.endpoint)
    const prefix = /^([a-z](?:[a-z0-9-]*[a-z0-9])?)\//.exec(startup.database)?.[1]
    if (prefix !== undefined) strictEqual(target.instanceName, prefix)
  } catch (thrown) {
    if (!(thrown instanceof PosternError) || !refusals.has(thrown.code)) throw thrown
  }
}

function fuzzMessages(random: Random, good: string): void {
  const stream = Buffer.concat(
    Array.from({ length: 1 + random.int(3) }, () =>
      typedMessage(random, random.chance(50) ? good : random.bytes(random.int(40)).toString('latin1')),
    ),
  )
  const whole = readAll([stream])
  const pieces = readAll(random.split(stream, 12))
  deepStrictEqual(pieces, whole)
  for (const { type: letter, body } of whole.messages) {
    ok(letter.length === 1 && body.length <= maxMessageLength)
    const password = readPasswordMessage(body)
    ok(password === undefined || !password.includes('\0'))
  }
}

function readAll(chunks: readonly Uint8Array[]): { messages: WireMessage[]; end: string } {
  const reader = new MessageReader({ maxLength: () => maxMessageLength, maxUnreadBytes })
  const messages: WireMessage[] = []
  let end = 'incomplete'
  for (const chunk of chunks) {
    reader.push(chunk)
    for (;;) {
      const read = reader.next()
      if (read.kind === 'message') messages.push(read.message)
      else {
        end = read.kind === 'malformed' ? read.reason : 'incomplete'
        break
      }
    }
  }
  return { messages, end }
}
