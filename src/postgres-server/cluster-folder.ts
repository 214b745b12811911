import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  renameSync,
} from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { OsUser } from './os-user.ts'
import { findBarrier } from './traversal.ts'

/**
 * The home of one cluster. Everything but `data` belongs to Postern, so that nothing which SQL could ever write decides how
 * the server is configured:
 *
 *     superuser-password   0600
 *     postgresql.conf, pg_hba.conf, pg_ident.conf   readable by the server's user (configuration.ts)
 *     postgres.log
 *     data/                0700, the server's user
 */
export interface ClusterFolder {
  readonly home: string
  readonly data: string
  readonly log: string
}

/** Makes the home if it is missing and clears away what a killed first start left. */
export function openClusterFolder(home: string, user: OsUser | undefined): ClusterFolder {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 })
    chmodSync(home, user ? 0o711 : 0o700)
    for (const entry of readdirSync(home)) {
      if (entry.startsWith(DRAFT)) rmSync(join(home, entry), { recursive: true, force: true })
    }
  } catch (cause) {
    throw new PosternError('DATA_FOLDER_UNUSABLE', `The folder ${home} cannot be used.`, { cause })
  }
  return { home, data: join(home, 'data'), log: join(home, 'postgres.log') }
}

const DRAFT = 'initdb-'

/** A folder in which initdb works unseen; renamed into place only when it is complete. */
export function newDraft(folder: ClusterFolder, user: OsUser | undefined): { draft: string; data: string } {
  const draft = join(folder.home, `${DRAFT}${randomBytes(6).toString('hex')}`)
  const data = join(draft, 'data')
  for (const path of [draft, data]) {
    mkdirSync(path, { mode: 0o700 })
    if (user) chownSync(path, user.uid, user.gid)
  }
  return { draft, data }
}

/** The bootstrap superuser's password; made at the first call and the same ever after. */
export function superuserPassword(folder: ClusterFolder): Secret {
  const path = join(folder.home, 'superuser-password')
  if (!existsSync(path)) {
    const draft = `${path}.${process.pid}`
    writeFileSync(draft, randomBytes(32).toString('base64url'), { mode: 0o600 })
    renameSync(draft, path)
  }
  return new Secret(readFileSync(path, 'utf8').trim())
}

/**
 * How a program of the server's user names the data folder. A folder above may be closed to that user (a checkout in a
 * private home): the program is then started with the folder as its working directory, entered before root is dropped, and
 * names it without passing through the folders above.
 * @throws PosternError DATA_FOLDER_UNUSABLE where neither way is open
 */
export function dataPathFor(data: string, user: OsUser | undefined): string {
  const barrier = user && findBarrier(data, user)
  if (!user || !barrier) return data
  if (existsSync('/proc/self/cwd')) return '/proc/self/cwd'
  throw new PosternError(
    'DATA_FOLDER_UNUSABLE',
    `The user ${user.name}, as whom Postgres runs, cannot pass the folder ${barrier.folder} (mode ${barrier.mode}) on the way to ${data}.`,
    { hint: `Either open it (chmod o+x ${barrier.folder}) or choose another data folder with --data-dir.` },
  )
}
