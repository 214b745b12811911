import { generateKeyPairSync } from 'node:crypto'
import { connect, type AddressInfo } from 'node:net'
import ssh2 from 'ssh2'
import { readHostKey } from '../../src/dialer/ssh/host-key.ts'

/** What a client tried at a {@link FakeSshServer}, with the password where it sent one. */
export interface LoginAttempt {
  readonly method: string
  readonly username: string
  readonly password: string | undefined
}

/** An SSH server that keeps what it is sent: the attacker's side, or one with habits that OpenSSH does not have. */
export interface FakeSshServer {
  readonly port: number
  /** Fingerprint of its only host key. */
  readonly fingerprint: string
  readonly attempts: readonly LoginAttempt[]
  stop(): Promise<void>
}

interface FakeSshOptions {
  /** Lets a password in by questions alone, as PAM does; else nobody is let in. */
  readonly asksFor?: { readonly questions: readonly { prompt: string; echo: boolean }[]; readonly password: string }
}

export async function startFakeSshServer({ asksFor }: FakeSshOptions = {}): Promise<FakeSshServer> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const hostKey = privateKey.export({ format: 'pem', type: 'sec1' }).toString()
  const parsed = ssh2.utils.parseKey(hostKey)
  if (parsed instanceof Error) throw parsed
  const attempts: LoginAttempt[] = []
  const clients = new Set<ssh2.Connection>()
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    clients.add(client)
    client.on('error', () => undefined)
    client.on('close', () => clients.delete(client))
    client.on('authentication', (context) => {
      const { method, username } = context
      if (method === 'none') return context.reject(['publickey'])
      attempts.push({ method, username, password: method === 'password' ? context.password : undefined })
      if (asksFor === undefined) return context.reject(['publickey', 'password'])
      if (method !== 'keyboard-interactive') return context.reject(['keyboard-interactive'])
      context.prompt([...asksFor.questions], (answers) => {
        attempts.push({ method: 'answers', username, password: answers.join(',') })
        if (answers.length === 1 && answers[0] === asksFor.password) context.accept()
        else context.reject(['keyboard-interactive'])
      })
    })
    client.on('ready', () => {
      client.on('tcpip', (accept, _reject, { destIP, destPort }) => {
        const channel = accept()
        const socket = connect(destPort, destIP)
        socket.on('error', () => channel.close())
        channel.pipe(socket).pipe(channel)
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    port: (server.address() as AddressInfo).port,
    fingerprint: readHostKey(parsed.getPublicSSH()).fingerprint,
    attempts,
    stop: () =>
      new Promise((resolve) => {
        for (const client of clients) client.end()
        server.close(() => resolve())
      }),
  }
}
