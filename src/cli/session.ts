import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { Secret } from '../base/secret.ts'
import { CliError } from './cli-error.ts'
import { configFolder } from './config-folder.ts'
import type { Environment } from './environment.ts'
import { findKeyring, type Keyring } from './keyring.ts'

/** A person's sign-in at one control plane, kept between commands. */
export interface Session {
  readonly origin: string
  readonly email: string
  readonly accessToken: Secret
  readonly expiresAt: Date
  /** Gets the next access token without asking; absent after a sign-in with e-mail and password. */
  readonly refreshToken: Secret | undefined
  /** Absolute path of the certificate authorities given at `postern login`. */
  readonly caFile: string | undefined
}

/** Which of a person's sign-ins: that of a profile, or the one at a control plane. */
export interface SessionPlace {
  readonly environment: Environment
  readonly origin: string
  readonly profile: string | undefined
}

const StoredTokens = z.object({ accessToken: z.string().min(1), refreshToken: z.string().min(1).optional() })

const StoredSession = z.object({
  origin: z.string(),
  email: z.string(),
  expiresAt: z.iso.datetime(),
  caFile: z.string().optional(),
  /** Absent where the keyring of the operating system has them. */
  tokens: StoredTokens.optional(),
})

/** The file that keeps a sign-in: mode 0600, in a folder of mode 0700. Its tokens are in the keyring where there is one. */
export function sessionFile(place: SessionPlace): string {
  return join(configFolder(place.environment), 'sessions', `${nameOf(place)}.json`)
}

/** An encoded origin always holds a `%`, which no name of a profile does. */
function nameOf({ origin, profile }: SessionPlace): string {
  return profile ?? encodeURIComponent(origin)
}

/**
 * The stored sign-in, also an expired one; undefined when there is none.
 * @throws CliError denied when others can read the file: then others may hold the tokens already; when it is of another
 *   control plane, which must not see them; when the keyring does not give them
 */
export async function readSession(place: SessionPlace): Promise<Session | undefined> {
  const file = sessionFile(place)
  const text = await readFile(file, 'utf8').catch(absent)
  if (text === undefined) return undefined
  if (((await stat(file)).mode & 0o077) !== 0) {
    throw new CliError('denied', `${file} can be read by others`, {
      hint: `Run \`chmod 600 ${file}\`, then \`postern login\` again.`,
    })
  }
  const stored = StoredSession.safeParse(parseOrUndefined(text))
  if (!stored.success) throw damaged(file)
  const { tokens: written, origin, email, expiresAt, caFile } = stored.data
  if (origin !== place.origin && place.profile === undefined) throw damaged(file)
  if (origin !== place.origin) {
    throw new CliError('denied', `the sign-in of profile ${place.profile} is at ${origin}, not at ${place.origin}`, {
      hint: 'Leave out --host, or run `postern login` with this profile again.',
    })
  }
  const tokens = written ?? (await readTokens(findKeyring(place.environment), nameOf(place)))
  return {
    origin,
    email,
    expiresAt: new Date(expiresAt),
    caFile,
    accessToken: new Secret(tokens.accessToken),
    refreshToken: tokens.refreshToken === undefined ? undefined : new Secret(tokens.refreshToken),
  }
}

async function readTokens(keyring: Keyring | undefined, name: string): Promise<z.infer<typeof StoredTokens>> {
  const kept = await keyring?.read(name)
  const tokens = kept && StoredTokens.safeParse(parseOrUndefined(kept.reveal()))
  if (tokens?.success) return tokens.data
  throw new CliError('denied', 'the keyring of the operating system does not give the stored sign-in', {
    hint: 'Unlock it, or run `postern login` again; POSTERN_KEYRING=off keeps it in a file instead.',
  })
}

/** Stores a sign-in over the former one: whole or not at all, and never readable by others in between. */
export async function writeSession(place: SessionPlace, session: Session): Promise<void> {
  const file = sessionFile(place)
  const { accessToken, refreshToken, expiresAt, ...rest } = session
  const tokens = { accessToken: accessToken.reveal(), refreshToken: refreshToken?.reveal() }
  const isInKeyring = await findKeyring(place.environment)?.store(nameOf(place), new Secret(JSON.stringify(tokens)))
  const text = JSON.stringify({ ...rest, expiresAt: expiresAt.toISOString(), ...(!isInKeyring && { tokens }) })
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
export async function deleteSession(place: SessionPlace): Promise<boolean> {
  const file = sessionFile(place)
  const stored = StoredSession.safeParse(parseOrUndefined((await readFile(file, 'utf8').catch(absent)) ?? ''))
  if (stored.success && stored.data.tokens === undefined) await findKeyring(place.environment)?.remove(nameOf(place))
  const found = await rm(file).then(() => true, absent)
  return found ?? false
}

function damaged(file: string): CliError {
  return new CliError('denied', `${file} is damaged`, { hint: 'Run `postern login` again.' })
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
