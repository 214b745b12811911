import { spawn } from 'node:child_process'
import { Secret } from '../base/secret.ts'
import type { Environment } from './environment.ts'

/** Where the operating system keeps secrets for a person: each by a name of ours. */
export interface Keyring {
  /** @returns whether it is kept */
  store(name: string, value: Secret): Promise<boolean>
  read(name: string): Promise<Secret | undefined>
  remove(name: string): Promise<void>
}

/** A locked keyring asks its person; where nobody answers, a file it is. */
const answerTimeoutMs = 20_000

/**
 * The keyring of the person's session, reached by the program that the system has for it: `secret-tool` of libsecret where
 * there is a session bus, `security` on macOS. Undefined where there is none, and with POSTERN_KEYRING=off.
 * A secret goes in by standard input, never by an argument.
 */
export function findKeyring(
  environment: Environment,
  platform: NodeJS.Platform = process.platform,
): Keyring | undefined {
  if (environment['POSTERN_KEYRING'] === 'off') return undefined
  if (platform === 'darwin') return macKeychain(environment)
  if (platform === 'linux' && environment['DBUS_SESSION_BUS_ADDRESS']) return secretService(environment)
  return undefined
}

function secretService(environment: Environment): Keyring {
  const of = (name: string) => ['service', 'postern', 'sign-in', name]
  const run = (args: readonly string[], input?: string) => runProgram('secret-tool', args, environment, input)
  return {
    store: async (name, value) =>
      (await run(['store', '--label', `Postern sign-in ${name}`, ...of(name)], value.reveal())) !== undefined,
    read: async (name) => asSecret(await run(['lookup', ...of(name)])),
    remove: async (name) => void (await run(['clear', ...of(name)])),
  }
}

function macKeychain(environment: Environment): Keyring {
  const of = (name: string) => ['-s', 'postern', '-a', name]
  const run = (args: readonly string[], input?: string) => runProgram('security', args, environment, input)
  return {
    // Its interactive mode reads commands from standard input; base64url and our names need no quotes.
    store: async (name, value) =>
      (await run(['-i'], `add-generic-password -U ${of(name).join(' ')} -w ${encode(value)}\n`)) !== undefined &&
      (await run(['find-generic-password', ...of(name)])) !== undefined,
    async read(name) {
      const found = asSecret(await run(['find-generic-password', ...of(name), '-w']))
      return found && new Secret(Buffer.from(found.reveal(), 'base64url').toString('utf8'))
    },
    remove: async (name) => void (await run(['delete-generic-password', ...of(name)])),
  }
}

function encode(value: Secret): string {
  return Buffer.from(value.reveal()).toString('base64url')
}

function asSecret(output: string | undefined): Secret | undefined {
  const value = output?.replace(/\n$/, '')
  return value ? new Secret(value) : undefined
}

/** @returns what it printed; undefined when it is not there, failed or did not end in time */
function runProgram(
  program: string,
  args: readonly string[],
  environment: Environment,
  input = '',
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], env: { ...environment } })
    const timer = setTimeout(() => child.kill('SIGKILL'), answerTimeoutMs)
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    const settle = (result: string | undefined) => {
      clearTimeout(timer)
      resolve(result)
    }
    child.on('error', () => settle(undefined))
    child.on('close', (status) => settle(status === 0 ? Buffer.concat(chunks).toString('utf8') : undefined))
    child.stdin.on('error', () => undefined) // it ended without reading
    child.stdin.end(input)
  })
}
