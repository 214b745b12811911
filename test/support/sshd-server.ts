import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SshHop } from '../../src/dialer/data-source-route.ts'
import { descendants } from './processes.ts'
import { requireTool } from './requirements.ts'

interface SshdOptions {
  /** Lines of sshd_config that come first, and so win. */
  readonly settings?: readonly string[]
  /** 0: any free port. */
  readonly port?: number
}

/** Kinds of host key that every server has; it shows the first one that a client asks for. */
const HOST_KEY_TYPES = ['ed25519', 'ecdsa', 'rsa'] as const
type HostKeyType = (typeof HOST_KEY_TYPES)[number]

/** Only root may check passwords of others: elsewhere sshd lets its own user in, by a key. */
export const sshdTakesPasswords = process.getuid?.() === 0

/** A server of OpenSSH on loopback with host keys, a client key and, as root, a user of its own. Call `stop` in the end. */
export class SshdServer {
  readonly port: number
  readonly username: string
  /** Of the user; unusable unless {@link sshdTakesPasswords}. */
  readonly password: string
  /** Private key that is let in, in the format of OpenSSH. */
  readonly clientKey: string
  readonly fingerprints: Readonly<Record<HostKeyType, string>>
  readonly #folder: string
  readonly #process: ChildProcess
  readonly #log: () => string
  #isStopped = false

  private constructor(
    folder: string,
    port: number,
    user: { name: string; password: string },
    settings: readonly string[],
  ) {
    this.#folder = folder
    this.port = port
    this.username = user.name
    this.password = user.password
    this.clientKey = makeKey(join(folder, 'client'), 'ed25519').text
    writeFileSync(join(folder, 'authorized_keys'), readFileSync(join(folder, 'client.pub')))
    const keys = HOST_KEY_TYPES.map((type) => [type, makeKey(join(folder, `host_${type}`), type).fingerprint] as const)
    this.fingerprints = Object.fromEntries(keys) as Record<HostKeyType, string>
    const config = join(folder, 'sshd_config')
    writeFileSync(config, configuration(folder, port, settings))
    if (sshdTakesPasswords) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
    const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    let log = ''
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
    this.#process = child
    this.#log = () => log
    process.once('exit', this.#atExit)
  }

  static async start({ settings = [], port = 0 }: SshdOptions = {}): Promise<SshdServer> {
    const folder = mkdtempSync(join(tmpdir(), 'sshd-'))
    chmodSync(folder, 0o755)
    const user = sshdTakesPasswords ? addUser() : { name: ownName(), password: 'unused' }
    const server = new SshdServer(folder, port === 0 ? await freePort() : port, user, settings)
    await server.#listening()
    return server
  }

  /** The way here, pinned, with the user of this server. */
  hop(change: Partial<SshHop> = {}): SshHop {
    const { port, username } = this
    return { host: '127.0.0.1', port, username, auth: 'private_key', hostKey: this.fingerprints.ed25519, ...change }
  }

  /** Lets another key in, given as a line of `authorized_keys`. */
  authorize(line: string): void {
    writeFileSync(join(this.#folder, 'authorized_keys'), `${line}\n`, { flag: 'a' })
  }

  /** Lets nobody in any more but this key. */
  authorizeOnly(line: string): void {
    writeFileSync(join(this.#folder, 'authorized_keys'), `${line}\n`)
  }

  /** TCP connections that were ever made to it, its own test of life among them. */
  get connections(): number {
    return this.#log().match(/^Connection from /gm)?.length ?? 0
  }

  /** Logins that were ever let in. */
  get logins(): number {
    return this.#log().match(/^Accepted (publickey|password) for /gm)?.length ?? 0
  }

  /** What it logged: every attempt to log in stands there. */
  get log(): string {
    return this.#log()
  }

  /** Sessions that are open: processes of the server, one for each client. */
  get sessions(): number {
    return this.#children().length
  }

  /** Ends every session as a crash would. */
  killSessions(): void {
    // Of each session one process has root, and one the socket.
    for (const pid of descendants(this.#process.pid!)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // ESRCH: it has ended meanwhile.
      }
    }
  }

  /** May be called again. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    process.off('exit', this.#atExit)
    this.killSessions()
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = new Promise((resolve) => this.#process.once('exit', resolve))
      this.#process.kill('SIGKILL')
      await ended
    }
    this.#remove()
  }

  /** Of a test file that was ended in the middle. */
  readonly #atExit = (): void => {
    this.#process.kill('SIGKILL')
    this.#remove()
  }

  #remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
    if (sshdTakesPasswords) execFileSync('/usr/sbin/userdel', ['--force', this.username], { stdio: 'ignore' })
  }

  /** Direct children of the server, which have children of the user's in turn. */
  #children(): number[] {
    const own = descendants(this.#process.pid!)
    const deeper = new Set(own.flatMap((pid) => descendants(pid)))
    return own.filter((pid) => !deeper.has(pid))
  }

  async #listening(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      if (this.#process.exitCode !== null) throw new Error(`sshd ended: ${this.#log()}`)
      if (await answers(this.port)) return
      if (attempt === 200) throw new Error(`sshd does not listen: ${this.#log()}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}

/** Makes a key as ssh-keygen does. */
export function makeKey(file: string, type: string, passphrase = ''): { text: string; fingerprint: string } {
  execFileSync(requireTool('ssh-keygen'), ['-q', '-t', type, '-N', passphrase, '-C', 'test', '-f', file])
  const [, fingerprint] = execFileSync(requireTool('ssh-keygen'), ['-l', '-f', `${file}.pub`])
    .toString()
    .split(' ')
  return { text: readFileSync(file, 'utf8'), fingerprint: fingerprint! }
}

function configuration(folder: string, port: number, settings: readonly string[]): string {
  return [
    ...settings,
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...HOST_KEY_TYPES.map((type) => `HostKey ${join(folder, `host_${type}`)}`),
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    `PidFile ${join(folder, 'pid')}`,
    'StrictModes no',
    'UsePAM no',
    'UseDNS no',
    'PasswordAuthentication yes',
    'KbdInteractiveAuthentication no',
    'AllowTcpForwarding yes',
    'MaxStartups 200',
    'MaxAuthTries 6',
    'LogLevel VERBOSE',
    '',
  ].join('\n')
}

/** A user that exists as long as the server, with a password that nobody else knows. */
function addUser(): { name: string; password: string } {
  const name = `ptest${randomBytes(5).toString('hex')}`
  const password = randomBytes(12).toString('base64url')
  const hash = execFileSync(requireTool('openssl'), ['passwd', '-6', '-stdin'], { input: password }).toString().trim()
  execFileSync('/usr/sbin/useradd', ['--no-create-home', '--shell', '/usr/sbin/nologin', '--password', hash, name])
  return { name, password }
}

function ownName(): string {
  return execFileSync(requireTool('id'), ['-un']).toString().trim()
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(false))
    socket.on('data', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
