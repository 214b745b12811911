import { createHash } from 'node:crypto'
import { chmodSync, existsSync, lchownSync, lstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { PosternError } from '../base/errors.ts'
import { currentUid, type OsUser } from './os-user.ts'

/**
 * Makes the folder under which this node's Unix sockets live: short, because a socket's path must stay under 107 bytes, and
 * private. Root: `/run/postern/<hash>`, to pass through only; others: `/tmp/postern-<uid>-<hash>`, closed to everyone else.
 *
 * The place can be guessed, and /tmp is everybody's: whatever stands there that is not our own folder is refused.
 * @param key what tells this node's folder from another's on the same machine: its node id
 * @throws PosternError DATA_FOLDER_UNUSABLE
 */
export function claimSocketRoot(key: string, base = defaultBase()): string {
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 8)
  if (currentUid() !== 0) return claim(join(base, `postern-${currentUid()}-${hash}`), 0o700, currentUid())
  claim(join(base, 'postern'), 0o711, 0)
  return claim(join(base, 'postern', hash), 0o711, 0)
}

/**
 * Makes the folder of one server's socket. As root it belongs to the server's user, and the group of `reader` may enter it:
 * nobody else on the machine reaches the socket.
 */
export function claimSocketFolder(root: string, name: string, owner?: OsUser, reader?: OsUser): string {
  const path = join(root, name)
  if (owner === undefined) return claim(path, 0o700, currentUid())
  if (!existsSync(path)) {
    mkdirSync(path, { mode: 0o700 })
    lchownSync(path, owner.uid, (reader ?? owner).gid)
  }
  return claim(path, 0o750, owner.uid)
}

function defaultBase(): string {
  return currentUid() === 0 && existsSync('/run') ? '/run' : '/tmp'
}

function claim(path: string, mode: number, ownerUid: number): string {
  try {
    mkdirSync(path, { mode })
    chmodSync(path, mode)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new PosternError('DATA_FOLDER_UNUSABLE', `The folder ${path} for Unix sockets cannot be made.`, { cause })
    }
  }
  const stats = lstatSync(path)
  const wrong = stats.isSymbolicLink()
    ? 'is a symbolic link'
    : !stats.isDirectory()
      ? 'is not a folder'
      : stats.uid !== ownerUid
        ? `belongs to the user ${stats.uid}`
        : undefined
  if (wrong) {
    throw new PosternError(
      'DATA_FOLDER_UNUSABLE',
      `${path}, where Unix sockets belong, ${wrong} instead of being Postern's own folder.`,
      {
        hint: 'Find out who made it, remove it and start again.',
      },
    )
  }
  if ((stats.mode & 0o777) !== mode) {
    if ((stats.mode & 0o022 & ~mode) !== 0) {
      throw new PosternError('DATA_FOLDER_UNUSABLE', `${path}, where Unix sockets belong, can be written by others.`, {
        hint: 'Remove it and start again.',
      })
    }
    chmodSync(path, mode)
  }
  return path
}
