import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { PosternError } from '../base/errors.ts'

/** A user of the operating system that a process of ours runs as. */
export interface OsUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const run = promisify(execFile)

/** The numeric user that this process runs as; 0 is root. */
export function currentUid(): number {
  return process.getuid?.() ?? -1
}

/**
 * The name of the user that this process runs as, as the system's user database has it: Bun's os.userInfo() believes the
 * environment, and Postgres does not.
 * @throws PosternError LOCAL_POSTGRES_FAILED for a user without a name, whom Postgres refuses as well
 */
export async function currentUserName(): Promise<string> {
  try {
    return (await run('id', ['-un'])).stdout.trim()
  } catch (cause) {
    throw new PosternError('LOCAL_POSTGRES_FAILED', `The user ${currentUid()}, as whom Postern runs, has no name.`, {
      hint: 'Run it as a user that /etc/passwd knows.',
      cause,
    })
  }
}

/**
 * Finds a system user or creates it: Postgres refuses to run as root, and clusters that must not read each other need
 * different users. Only root can create one.
 * @param announce called with one line when the user is created
 * @throws PosternError LOCAL_POSTGRES_FAILED naming the command that the operator should run
 */
export async function ensureOsUser(name: string, announce: (line: string) => void): Promise<OsUser> {
  const existing = await findOsUser(name)
  if (existing) return existing
  const command = ['useradd', '--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin', name] // prettier-ignore
  let failure: unknown
  // useradd holds a lock on the user database: another package or node may have it for a moment.
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      await run(command[0]!, command.slice(1))
      announce(`Created the system user ${name}: Postgres does not run as root.`)
    } catch (error) {
      failure = error
    }
    const created = await findOsUser(name)
    if (created) return created
    if ((failure as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') break
    await sleep(100)
  }
  throw new PosternError('LOCAL_POSTGRES_FAILED', `The system user ${name} is missing and could not be created.`, {
    hint: `Create it (${command.join(' ')}), or start Postern as an ordinary user.`,
    cause: failure,
  })
}

async function findOsUser(name: string): Promise<OsUser | undefined> {
  const local = parsePasswd(readFileSync('/etc/passwd', 'utf8'), name)
  if (local) return local
  try {
    // Users of a directory service are not in the file.
    const { stdout } = await run('getent', ['passwd', name])
    return parsePasswd(stdout, name)
  } catch {
    // getent is absent, or knows no such user: the same to us.
    return undefined
  }
}

function parsePasswd(text: string, name: string): OsUser | undefined {
  const fields = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name)
  if (!fields) return undefined
  return { name, uid: Number(fields[2]), gid: Number(fields[3]) }
}
