import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { gatewayProcesses, residentBytes } from '../support/processes.ts'
import { gssencRequest, message, sslRequest, startupMessage } from '../support/raw-pg-messages.ts'
import { RawPgClient } from '../support/raw-pg-client.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'
import { firstPacket, forgedToken, optionsText, serverName, typedMessage } from './inputs.ts'
import { mutate, Random } from './random.ts'

/** What a run over sockets came to. */
interface SocketRun {
  readonly sockets: number
  readonly handshakes: number
  readonly answers: number
  readonly elapsedMs: number
  readonly grownBytes: number
}

const atOnce = 24
/** A socket whose every byte was sent is looked at for so long; the gateway's own deadline is longer. */
const patienceMs = 400
const grownMaxBytes = 96 * 1024 * 1024
const authenticationOk = Buffer.from('R\0\0\0\x08\0\0\0\0', 'latin1')

/**
 * Sends real sockets of a real gateway what no client would, up to the login, and looks for an acceptance, a crash, an
 * internal error, or memory that stays.
 * @throws Error that names the seed of the socket that broke a promise
 */
export async function runSockets(options: {
  seed: number
  count: number
  seconds: number
  transport: string
}): Promise<SocketRun> {
  const flags = ['--login-timeout-seconds', '3', '--gateway-transport', options.transport]
  const postern = await startDemo({ flags })
  try {
    const fuzz = await SocketFuzz.against(postern)
    await fuzz.run(options)
    await fuzz.settle()
    return fuzz.result
  } finally {
    await postern.stop()
  }
}

class SocketFuzz {
  readonly #postern: RunningPostern<DemoReadyFile>
  readonly #credential: string
  readonly #parameters: Record<string, string>
  readonly #pid: number
  #sockets = 0
  #handshakes = 0
  #answers = 0
  #startedAt = performance.now()
  #before = 0
  #grown = 0

  private constructor(postern: RunningPostern<DemoReadyFile>, credential: string, pid: number) {
    this.#postern = postern
    this.#credential = credential
    this.#pid = pid
    const { database, servicePrincipal } = postern.ready
    this.#parameters = { user: servicePrincipal.clientId, database }
  }

  static async against(postern: RunningPostern<DemoReadyFile>): Promise<SocketFuzz> {
    const { clientId, clientSecret } = postern.ready.servicePrincipal
    const credential = await (await postern.asServicePrincipal(clientId, clientSecret)).mintCredential('sample')
    const [pid] = gatewayProcesses(postern.pid)
    if (pid === undefined) throw new Error('there is no gateway process')
    return new SocketFuzz(postern, credential, pid)
  }

  get result(): SocketRun {
    const elapsedMs = performance.now() - this.#startedAt
    return {
      sockets: this.#sockets,
      handshakes: this.#handshakes,
      answers: this.#answers,
      elapsedMs,
      grownBytes: this.#grown,
    }
  }

  async run({ seed, count, seconds }: { seed: number; count: number; seconds: number }): Promise<void> {
    const choice = new Random(seed)
    this.#startedAt = performance.now()
    let left = count
    const worker = async () => {
      while (left-- > 0 && performance.now() - this.#startedAt < seconds * 1000) {
        const one = choice.int(2 ** 32)
        try {
          await this.#attack(new Random(one))
        } catch (cause) {
          throw new Error(`socket seed ${one}: ${(cause as Error).message}`, { cause })
        }
        // What the first sockets cost stays: buffers and pools that every later one uses again.
        if (++this.#sockets === Math.min(500, Math.ceil(count / 4))) this.#before = residentBytes(this.#pid)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }

  /** All is as it was: the same process, its memory, a login, and no error in the log that nobody foresaw. */
  async settle(): Promise<void> {
    await sleep(3500)
    if (!gatewayProcesses(this.#postern.pid).includes(this.#pid)) throw new Error('the gateway process ended')
    this.#grown = residentBytes(this.#pid) - this.#before
    if (this.#grown > grownMaxBytes) throw new Error(`the gateway kept ${this.#grown} bytes`)
    const client = await RawPgClient.openTls(...this.#at, {
      ca: this.#postern.ca,
      serverName: 'sample.postern.localhost',
    })
    const messages = await client.logIn(this.#parameters, this.#credential)
    if (messages.at(-1)?.type !== 'Z') throw new Error('a right login is refused afterwards')
    client.destroy()
    const unforeseen = this.#postern
      .logs()
      .split('\n')
      .find((line) => /"level":[56]0/.test(line))
    if (unforeseen !== undefined) throw new Error(`in the log: ${unforeseen.slice(0, 500)}`)
  }

  get #at(): [host: string, port: number] {
    return [this.#postern.ready.gatewayHost, this.#postern.ready.gatewayPort]
  }

  async #attack(random: Random): Promise<void> {
    const [host, port] = this.#at
    const socket = connect({ host, port, allowHalfOpen: true })
    const heard = listen(socket)
    try {
      await once(socket, 'connect')
      if (random.chance(35)) await this.#inClear(random, socket)
      else await this.#inTls(random, socket)
    } catch (thrown) {
      // Refused by TLS, or closed before the end: both are right.
      if (!hasCode(thrown)) throw thrown
    } finally {
      socket.destroy()
    }
    this.#judge(heard())
  }

  /** Any order of requests for TLS and GSS, cut and glued, and startup packets in clear. */
  async #inClear(random: Random, socket: Socket): Promise<void> {
    const pieces = Array.from({ length: 1 + random.int(3) }, () =>
      random.pick([
        () => sslRequest,
        () => gssencRequest,
        () => firstPacket(random),
        () => mutate(random, sslRequest),
      ])(),
    )
    for (const piece of random.split(Buffer.concat(pieces), 4)) await write(socket, piece)
    await finish(random, socket)
  }

  /** TLS by request or at once, sometimes with a damaged handshake; then a startup packet and a password, good or not. */
  async #inTls(random: Random, socket: Socket): Promise<void> {
    const direct = random.chance(30)
    if (!direct) {
      for (const piece of random.split(sslRequest, 3)) await write(socket, piece)
      const answer = await firstByte(socket)
      if (answer !== 'S') throw new Error(`SSLRequest was answered ${answer}`)
    }
    const damaged = random.chance(15)
    const secure = connectTls({
      socket: damaged ? damaging(random, socket) : socket,
      rejectUnauthorized: false,
      servername: usableServerName(random) ?? '',
      ALPNProtocols: direct || random.chance(20) ? [random.pick(['postgresql', 'postgresql', 'h2'])] : [],
    })
    const heard = listen(secure)
    try {
      await Promise.race([once(secure, 'secureConnect'), sleep(patienceMs * 2).then(() => Promise.reject(gaveUp()))])
      this.#handshakes++
      await this.#aboveTls(random, secure)
    } finally {
      secure.destroy()
      this.#judge(heard())
    }
  }

  async #aboveTls(random: Random, secure: TLSSocket): Promise<void> {
    const right = startupMessage({
      ...this.#parameters,
      ...(random.chance(30) && { options: optionsWithoutNul(random) }),
    })
    const isRight = random.chance(40)
    const first = isRight ? right : random.chance(50) ? firstPacket(random) : mutate(random, right)
    for (const piece of random.split(first, 3)) await write(secure, piece)
    // A damaged startup packet may still be a right one, and with a right password that is a login: none is given here.
    const wrong = forgedToken(random, this.#credential)
    const password = random.chance(50) ? message('p', Buffer.from(`${wrong}\0`)) : typedMessage(random, wrong)
    for (const piece of random.split(password, 3)) await write(secure, piece)
    await finish(random, secure)
  }

  #judge(heard: Buffer): void {
    if (heard.length > 0) this.#answers++
    if (heard.includes(authenticationOk)) throw new Error('a login was accepted')
    if (heard.includes('CXX000\0')) throw new Error(`an internal error: ${heard.toString('latin1').slice(0, 300)}`)
    if (heard.length > 4096) throw new Error(`${heard.length} bytes were answered to nobody`)
  }
}

function listen(socket: Socket): () => Buffer {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  return () => Buffer.concat(chunks)
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (bytes.length > 0 && socket.writable) await new Promise<void>((resolve) => socket.write(bytes, () => resolve()))
}

/** Leaves at once, half-closes, or waits to be told something. */
async function finish(random: Random, socket: Socket): Promise<void> {
  if (random.chance(20)) return
  if (random.chance(50)) socket.end()
  if (!socket.closed) await Promise.race([once(socket, 'close'), once(socket, 'end'), sleep(patienceMs)])
}

async function firstByte(socket: Socket): Promise<string> {
  const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [Buffer | boolean]
  return typeof chunk === 'boolean' ? 'by closing' : chunk.toString('latin1')
}

/** TLS libraries refuse to send some names that the resolver is tested with. */
function usableServerName(random: Random): string | undefined {
  const name = serverName(random)?.replace('gw.test', 'postern.localhost')
  return name !== undefined && /^[\w.-]{1,250}$/.test(name) ? name : undefined
}

function optionsWithoutNul(random: Random): string {
  return optionsText(random).replaceAll('\0', '')
}

/** A stream over the socket that damages one of the first writes: the ClientHello, or what follows it. */
function damaging(random: Random, socket: Socket): Duplex {
  let untouched = random.int(3)
  const duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) =>
      void socket.write(untouched-- === 0 ? mutate(random, chunk) : chunk, done),
    final: (done) => void socket.end(done),
  })
  socket.on('data', (chunk: Buffer) => duplex.push(chunk))
  socket.on('end', () => duplex.push(null))
  socket.on('close', () => duplex.destroy())
  return duplex
}

function gaveUp(): Error {
  return Object.assign(new Error('no end of the handshake'), { code: 'ETIMEDOUT' })
}

function hasCode(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown
}
