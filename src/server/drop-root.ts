import { PosternError } from '../base/errors.ts'
import type { ChildUser } from './child-messages.ts'

/**
 * Gives up root for good: groups first, because they cannot be changed afterwards, then the group, then the user. Does
 * nothing without a user. What this process still needs as root (code of a private checkout, key files, ports below 1024)
 * must be loaded before.
 */
export function dropRoot(user: ChildUser | undefined): void {
  if (!user) return
  process.setgroups?.([user.gid])
  process.setgid?.(user.gid)
  process.setuid?.(user.uid)
  if (process.getuid?.() !== user.uid || process.geteuid?.() !== user.uid) {
    throw new PosternError('INTERNAL', 'Root could not be given up.')
  }
}
