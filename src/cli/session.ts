import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Secret } from '../base/secret.ts'
import { CliError } from './cli-error.ts'
import type { Environment } from './environment.ts'

/** A person's sign-in at one control plane, kept between commands. */
export interface Session {
  readonly origin: string
  /** What was entered at `postern login`. */
  readonly email: string
  readonly accessToken: Secret
  readonly expiresAt: Date
  /** Absolute path of the certificate authorities given at `postern login`. */
  readonly caFile: string | undefined
}

const StoredSession = z.object({
  origin: z.string(),
  email: z.string(),
  accessToken: z.string().min(1),
  expiresAt: z.iso.datetime(),
  caFile: z.string().optional(),
})

/** The file that keeps the sign-in at `origin`: mode 0600, one per control plane, in a folder of mode 0700. */
export function sessionFile(environment: Environment, origin: string): string {
  const base = environment['XDG_CONFIG_HOME'] || join(environment['HOME'] || homedir(), '.config')
  return join(base, 'postern', 'sessions', `${encodeURIComponent(origin)}.json`)
}

/**
 * The stored sign-in, also an expired one; undefined when there is none.
 * @throws CliError denied when others can read the file: then others may hold the access token already
 */
export async function readSession(environment: Environment, origin: string): Promise<Session | undefined> {
  const file = sessionFile(environment, origin)
  const text = await readFile(file, 'utf8').catch(absent)
  if (text === undefined) return undefined
  if (((await stat(file)).mode & 0o077) !== 0) {
    throw new CliError('denied', `${file} can be read by others`, {
      hint: `Run \`chmod 600 ${file}\`, then \`postern login\` again.`,
    })
  }
  const stored = StoredSession.safeParse(parseOrUndefined(text))
  if (!stored.success || stored.data.origin !== origin) {
    throw new CliError('denied', `${file} is damaged`, { hint: 'Run `postern login` again.' })
  }
  const { accessToken, expiresAt, ...rest } = stored.data
  return { ...rest, caFile: rest.caFile, accessToken: new Secret(accessToken), expiresAt: new Date(expiresAt) }
}

/** Stores a sign-in over the former one: whole or not at all, and never readable by others in between. */
export async function writeSession(environment: Environment, session: Session): Promise<void> {
  const file = sessionFile(environment, session.origin)
  const text = JSON.stringify({
    ...session,
    accessToken: session.accessToken.reveal(),
    expiresAt: session.expiresAt.toISOString(),
  })
  const draft = `${file}.${randomUUID()}`
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await chmod(dirname(file), 0o700)
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(`${text}\n`)
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined) // the first failure is the one to report
    throw new CliError(
      'dependency',
      `the sign-in cannot be stored in ${file} (${(cause as NodeJS.ErrnoException).code})`,
      {
        hint: 'Check the folder, or choose another with XDG_CONFIG_HOME.',
        cause,
      },
    )
  }
}

/** Forgets the sign-in; false when there was none. */
export async function deleteSession(environment: Environment, origin: string): Promise<boolean> {
  const file = sessionFile(environment, origin)
  const found = await rm(file).then(() => true, absent)
  return found ?? false
}

function absent(thrown: NodeJS.ErrnoException): undefined {
  if (thrown.code === 'ENOENT') return undefined
  throw new CliError('dependency', `the stored sign-in cannot be read (${thrown.code})`, {
    hint: 'Check the mode of ~/.config/postern.',
    cause: thrown,
  })
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the caller reports a damaged file
  }
}
